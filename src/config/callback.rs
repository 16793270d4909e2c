//! Outbound calls: which numbers precall may dial, how often, and how long they may ring.

use std::time::Duration;

use precall_base::phone_number::{CallerNumber, Region};

use super::kind::Kind;
use super::problem::Problems;
use super::section::Section;
use super::setting::variables;
use super::value::lists::List;
use super::value::numbers::{Seconds, Whole};
use super::value::{Complaint, FromText};
use super::values::Values;
use super::variables::DefaultValue::Text;
use super::variables::{Probed, Restart, Shown};

variables! { Section::Callback;
    default_region: Region {
        probed: Probed::By("countries"),
        example: "GB",
        help: "Country of numbers that are written without + and country code.",
    }
    callback_countries: Countries {
        restart: Restart::NotNeeded,
        probed: Probed::By("countries"),
        unit: "countries",
        example: "GB,IE",
        help: "Countries that precall may dial. Unset: those of DEFAULT_REGION, OWN_NUMBERS and the lines.",
        note: "The number that a caller called gives no country: who sends the webhook chooses it.",
    }
    own_numbers: List {
        restart: Restart::NotNeeded,
        probed: Probed::Cannot("whose a number is shows only when it rings"),
        unit: "telephone numbers",
        shown: Shown::Masked,
        example: "+441632960961",
        help: "Numbers that lead back to this PBX or agent: its DIDs and the number of the agent.",
        note: "precall never dials them, and calls back only who called one of them or a line. Without them and \
            without lines it cannot tell, and calls back whatever number was called. Write them with + and country \
            code.",
    }
    callback_limit_per_number_hour: Whole<u32, 1, 1_000_000> {
        restart: Restart::NotNeeded,
        unit: "calls",
        default: Text("3"),
        help: "Calls back to one number within an hour.",
        note: "Each call counts once, when it is admitted: its greeting, the agent after it and a second attempt in \
            the fallback voice, also where ElevenLabs refuses a dial. Refused calls and repeated webhooks count \
            nothing.",
    }
    callback_limit_per_hour: Whole<u32, 1, 1_000_000> {
        restart: Restart::NotNeeded,
        unit: "calls",
        default: Text("500"),
        help: "Calls back to all numbers within an hour.",
    }
    callback_limit_per_day: Whole<u32, 1, 1_000_000> {
        restart: Restart::NotNeeded,
        unit: "calls",
        default: Text("5000"),
        help: "Calls back to all numbers within a day.",
    }
    callback_limit_concurrent: Whole<u32, 1, 1_000_000> {
        restart: Restart::NotNeeded,
        unit: "calls",
        default: Text("100"),
        help: "Largest number of simultaneous calls back, from admission to the end of the call.",
    }
    callback_ring_seconds: Seconds<5, 300> {
        restart: Restart::NotNeeded,
        default: Text("45"),
        help: "How long the caller's telephone may ring.",
    }
    callback_ends_with_pbx_call: bool {
        restart: Restart::NotNeeded,
        default: Text("true"),
        help: "End the outbound call when the caller's call ends at the PBX.",
    }
}

/// The dial guard's settings and the ringing time.
#[derive(Clone, Debug)]
pub struct Callback {
    /// The country of numbers written without `+`.
    pub default_region: Option<Region>,
    /// Countries that may be dialled. When empty: the default region and the countries of our own numbers.
    pub countries: Vec<Region>,
    /// Numbers that lead back to this PBX or agent, extensions included. Never dialled.
    pub own_numbers: Vec<CallerNumber>,
    /// Calls to one number within an hour.
    pub limit_per_number_hour: u32,
    /// Calls within an hour.
    pub limit_per_hour: u32,
    /// Calls within a day.
    pub limit_per_day: u32,
    /// Simultaneous calls.
    pub limit_concurrent: u32,
    /// How long a telephone may ring.
    pub ring_max: Duration,
    /// Whether the end of the caller's call at the PBX ends the outbound call.
    pub ends_with_pbx_call: bool,
}

impl Callback {
    pub(super) fn read(values: &Values, problems: &mut Problems) -> Option<Self> {
        let settings = Settings::read(values, problems)?;
        let region = settings.default_region.optional();
        let own_numbers =
            settings.own_numbers.optional().and_then(|list| own_numbers(list, region.flatten(), problems));
        Some(Self {
            default_region: region?,
            countries: settings.callback_countries.optional()?.map(|Countries(all)| all).unwrap_or_default(),
            own_numbers: own_numbers?,
            limit_per_number_hour: settings.callback_limit_per_number_hour.value()?.0,
            limit_per_hour: settings.callback_limit_per_hour.value()?.0,
            limit_per_day: settings.callback_limit_per_day.value()?.0,
            limit_concurrent: settings.callback_limit_concurrent.value()?.0,
            ring_max: settings.callback_ring_seconds.value()?.0,
            ends_with_pbx_call: settings.callback_ends_with_pbx_call.value()?,
        })
    }
}

impl FromText for Region {
    const KIND: Kind = Kind::Form("country as two letters (ISO 3166)");

    fn from_text(text: &str) -> Result<Self, Complaint> {
        const RIGHT: &str = "an ISO 3166 code of two letters such as GB, DE or US";
        let upper = text.to_ascii_uppercase();
        let right = if upper == "UK" { "GB for the United Kingdom" } else { RIGHT };
        let shown: String = text.chars().take(8).collect();
        upper.parse().map_err(|_| Complaint::new(format!("`{shown}` is no country"), right))
    }
}

struct Countries(Vec<Region>);

impl FromText for Countries {
    const KIND: Kind = Kind::List;

    fn from_text(text: &str) -> Result<Self, Complaint> {
        let List(entries) = List::from_text(text)?;
        entries.iter().map(|entry| Region::from_text(entry)).collect::<Result<_, _>>().map(Self)
    }
}

/// A problem names the wrong entry by its place, because errors must not show telephone numbers.
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
