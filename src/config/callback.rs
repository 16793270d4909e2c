//! Outbound calls: whom we may dial, how often, and when to give up.

use std::time::Duration;

use precall_actors::phone_number::{CallerNumber, Region};
use serde::Deserialize;

use super::problem::Problems;
use super::value::{Complaint, FromText, List, Read};
use super::values::Values;
use super::variables::Section;

/// The dial guard's settings and the ringing time.
#[derive(Clone, Debug)]
pub struct Callback {
    /// The country of numbers written without `+`.
    pub default_region: Option<Region>,
    /// Countries that may be dialled; the called number's own when empty.
    pub countries: Vec<Region>,
    /// Numbers that lead back to us, internal ones too. Never dialled.
    pub own_numbers: Vec<CallerNumber>,
    /// Calls to one number in an hour.
    pub limit_per_number_hour: u32,
    /// Calls in an hour.
    pub limit_per_hour: u32,
    /// Calls in a day.
    pub limit_per_day: u32,
    /// Calls at once.
    pub limit_concurrent: u32,
    /// How long a telephone may ring.
    pub ring_max: Duration,
    /// Whether the end of the call at the PBX ends ours.
    pub ends_with_pbx_call: bool,
}

impl FromText for Region {
    fn from_text(text: &str) -> Result<Self, Complaint> {
        const RIGHT: &str = "an ISO 3166 code of two letters such as GB, DE or US";
        let upper = text.to_ascii_uppercase();
        let right = if upper == "UK" { "GB for the United Kingdom" } else { RIGHT };
        let shown: String = text.chars().take(8).collect();
        upper.parse().map_err(|_| Complaint::new(format!("`{shown}` is no country"), right))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    default_region: Option<Read<Region>>,
    callback_countries: Option<Read<List>>,
    own_numbers: Option<Read<List>>,
    callback_limit_per_number_hour: Read<u64>,
    callback_limit_per_hour: Read<u64>,
    callback_limit_per_day: Read<u64>,
    callback_limit_concurrent: Read<u64>,
    callback_ring_seconds: Read<u64>,
    callback_ends_with_pbx_call: Read<bool>,
}

impl Callback {
    pub(super) fn read(values: &Values, problems: &mut Problems) -> Option<Self> {
        let raw: Raw = values.section(Section::Callback, problems)?;
        let region = problems.optional("DEFAULT_REGION", raw.default_region);
        let countries = problems
            .optional("CALLBACK_COUNTRIES", raw.callback_countries)
            .and_then(|list| countries(list, problems));
        let own_numbers = problems
            .optional("OWN_NUMBERS", raw.own_numbers)
            .and_then(|list| own_numbers(list, region.flatten(), problems));
        let mut limit = |name, read| problems.number(name, read, 1..=1_000_000, "calls");
        let per_number_hour = limit("CALLBACK_LIMIT_PER_NUMBER_HOUR", raw.callback_limit_per_number_hour);
        let per_hour = limit("CALLBACK_LIMIT_PER_HOUR", raw.callback_limit_per_hour);
        let per_day = limit("CALLBACK_LIMIT_PER_DAY", raw.callback_limit_per_day);
        let concurrent = limit("CALLBACK_LIMIT_CONCURRENT", raw.callback_limit_concurrent);
        let ring_max = problems.seconds("CALLBACK_RING_SECONDS", raw.callback_ring_seconds, 5..=300);
        let ends_with_pbx_call =
            problems.value("CALLBACK_ENDS_WITH_PBX_CALL", raw.callback_ends_with_pbx_call);
        Some(Self {
            default_region: region?,
            countries: countries?,
            own_numbers: own_numbers?,
            limit_per_number_hour: per_number_hour?,
            limit_per_hour: per_hour?,
            limit_per_day: per_day?,
            limit_concurrent: concurrent?,
            ring_max: ring_max?,
            ends_with_pbx_call: ends_with_pbx_call?,
        })
    }
}

fn countries(list: Option<List>, problems: &mut Problems) -> Option<Vec<Region>> {
    let mut countries = Vec::new();
    for entry in list.map(|List(entries)| entries).unwrap_or_default() {
        countries.push(problems.value("CALLBACK_COUNTRIES", Read(Region::from_text(&entry)))?);
    }
    Some(countries)
}

/// The wrong entry is named by its place: errors hold no telephone numbers.
fn own_numbers(
    list: Option<List>,
    region: Option<Region>,
    problems: &mut Problems,
) -> Option<Vec<CallerNumber>> {
    let mut numbers = Vec::new();
    for (index, entry) in list.map(|List(entries)| entries).unwrap_or_default().iter().enumerate() {
        match own_number(entry, region) {
            Some(number) => numbers.push(number),
            None => {
                let wrong = format!("entry {} is no telephone number", index.saturating_add(1));
                problems.add(
                    "OWN_NUMBERS",
                    wrong,
                    "numbers with + and country code, or DEFAULT_REGION as well",
                );
                return None;
            }
        }
    }
    Some(numbers)
}

fn own_number(entry: &str, region: Option<Region>) -> Option<CallerNumber> {
    match CallerNumber::parse(entry, region.unwrap_or(Region::UNKNOWN)) {
        number @ (CallerNumber::Public(_) | CallerNumber::Internal(_)) => Some(number),
        CallerNumber::Withheld | CallerNumber::Unreadable => None,
    }
}

#[cfg(test)]
mod tests;
