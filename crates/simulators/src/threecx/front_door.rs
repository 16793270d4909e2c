//! The front door: a call-flow script on a route point of its own. It posts the client's webhook about a call and
//! routes the call to the client's DN only if the answer is good; any other call goes to a default destination
//! (docs/3CX.md). `POST /sim/calls` with `front_door` plays it; `{}` is enough.
//!
//! | field | meaning |
//! |---|---|
//! | `dn` | the script's own route point (`899`), where the call arrives |
//! | `default_destination` | where callers go whom the client does not take (`100`) |
//! | `answer_within_ms` | how long the script waits for the webhook's answer (3000, which is the most) |
//! | `ring_ms` | the timeout of the script's `RouteTo` (30000): a leg that rings longer goes to the default |
//! | `told` | `{key, within_ms}`: the client must attach data of this key within this time; null: it need not |
//!
//! A route point that answers by itself (`mode: connected`) answers also when the client is dead: then only `told`
//! finds it out. With `mode: needs_answer` the client answers, or `ring_ms` ends. A leg that the client drops while it
//! rings goes to the default as well. Whether a script on a real PBX can still take back a call that was answered is
//! not known.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::ear::ms;

/// The most that a script waits for the webhook (facts page, section 2.1).
const WAITS_AT_MOST: u64 = 3_000;
/// The longest number of a destination.
const LONGEST_TEXT: usize = 256;
/// The longest ring and the longest wait for the client's word.
const LONGEST_MS: u64 = 180_000;

/// The script's settings; see the table above.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[allow(missing_docs)] // The table says it.
pub struct FrontDoor {
    pub dn: String,
    pub default_destination: String,
    pub answer_within_ms: u64,
    pub ring_ms: u64,
    pub told: Option<Told>,
}

impl Default for FrontDoor {
    fn default() -> Self {
        Self {
            dn: "899".to_owned(),
            default_destination: "100".to_owned(),
            answer_within_ms: WAITS_AT_MOST,
            ring_ms: 30_000,
            told: None,
        }
    }
}

impl FrontDoor {
    /// How long the script waits for the webhook's answer.
    pub(super) fn patience(&self) -> Duration {
        Duration::from_millis(self.answer_within_ms)
    }

    /// Says what is wrong with the settings.
    pub(super) fn check(&self) -> Result<(), String> {
        let texts = [&self.dn, &self.default_destination];
        if texts.iter().any(|text| text.is_empty() || text.len() > LONGEST_TEXT) {
            return Err(format!("the DNs of a front door have 1 to {LONGEST_TEXT} bytes"));
        }
        if self.answer_within_ms > WAITS_AT_MOST {
            return Err(format!("a script waits at most {WAITS_AT_MOST} ms for the webhook"));
        }
        let told = self.told.as_ref().map_or(0, |told| told.within_ms);
        if self.ring_ms > LONGEST_MS || told > LONGEST_MS {
            return Err(format!("ring_ms and within_ms are at most {LONGEST_MS}"));
        }
        Ok(())
    }
}

/// What the client must tell the script once it has the call, by `attach_party_data` or `attach_participant_data`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Told {
    /// A key of the attached data; the PBX keeps only those that begin with `public_`.
    pub key: String,
    /// How long after the script routed the call.
    pub within_ms: u64,
}

impl Default for Told {
    fn default() -> Self {
        Self { key: "public_precall".to_owned(), within_ms: 3_000 }
    }
}

/// Why the script routed a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RoutedBecause {
    /// The webhook was answered with 2xx in time.
    Accepted,
    /// The webhook was answered with another status.
    Refused,
    /// The webhook was not answered in time.
    Silent,
    /// The client's leg rang until the script's timeout.
    NotAnswered,
    /// The client dropped its leg while it rang.
    Dropped,
    /// The client did not tell the script that it has the call.
    NotTold,
}

/// One `RouteTo` of the script.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Routed {
    /// Where to.
    pub destination: String,
    /// Why.
    pub because: RoutedBecause,
    /// Milliseconds after the call was placed.
    pub after_ms: u64,
}

/// What the script did with a call.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct DoorReport {
    /// Status of the webhook's answer; null without one.
    pub webhook_status: Option<u16>,
    /// How long the script waited for it.
    pub webhook_ms: Option<u64>,
    /// Where it routed the call, in turn.
    pub routed: Vec<Routed>,
}

/// The script of one call.
#[derive(Debug, Default)]
pub(super) struct Door {
    pub report: DoorReport,
    /// When a leg that rings is taken back.
    pub ring_until: Option<Instant>,
    /// When a leg of which the script was not told is taken back.
    pub told_until: Option<Instant>,
}

impl Door {
    /// The script routes the call.
    pub fn routed(&mut self, destination: &str, because: RoutedBecause, placed_at: Instant, now: Instant) {
        let after_ms = ms(now.saturating_duration_since(placed_at));
        self.report.routed.push(Routed { destination: destination.to_owned(), because, after_ms });
    }
}
