//! The scripted outcomes of transfers and calls: `PUT /sim/routeto` for routeto, transferto and divert,
//! `PUT /sim/makecall` for makecall. The body is one object, or a list of which the first match counts.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::options::Codes;

/// Most entries of one script.
pub(super) const MOST_ENTRIES: usize = 100;
/// The longest wait that is honoured.
const LONGEST: Duration = Duration::from_secs(600);
/// How long the other side rings unless told otherwise.
const RINGS: u64 = 200;

/// What the other side does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Picks up.
    #[default]
    Answered,
    /// Is in another call.
    Busy,
    /// Rings until the caller gives up.
    NoAnswer,
    /// Does not exist.
    Unknown,
    /// Nothing happens until the request times out.
    Timeout,
    /// Meanwhile the caller hangs up.
    CallerHangup,
}

/// When our leg's Remove comes after a transfer that was answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RemoveOrder {
    /// Before the HTTP answer.
    #[default]
    Before,
    /// After it.
    After,
}

/// One entry.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Turn {
    /// The outcome.
    #[serde(default)]
    pub outcome: Outcome,
    /// After how long, in milliseconds.
    #[serde(default)]
    pub after_ms: Option<u64>,
    /// When the Remove comes.
    #[serde(default)]
    pub remove: RemoveOrder,
    /// Only destinations with this prefix.
    #[serde(default)]
    pub destination: Option<String>,
    /// How often; without it, for ever.
    #[serde(default)]
    pub times: Option<u32>,
    /// Status of a success, when not the simulator's own.
    #[serde(default)]
    pub status: Option<u16>,
    /// Whether results are named or numbered, when not as the simulator's own.
    #[serde(default)]
    pub codes: Option<Codes>,
}

impl Turn {
    /// How long it takes.
    pub(super) fn after(&self) -> Duration {
        Duration::from_millis(self.after_ms.unwrap_or(RINGS)).min(LONGEST)
    }
}

/// The script of one kind of operation.
#[derive(Debug, Default)]
pub(super) struct Script(Vec<Turn>);

impl Script {
    /// Replaces it.
    pub fn set(&mut self, mut turns: Vec<Turn>) {
        turns.truncate(MOST_ENTRIES);
        self.0 = turns;
    }

    /// What remains of it.
    pub fn list(&self) -> &[Turn] {
        &self.0
    }

    /// What happens at this destination; None when nothing is scripted.
    pub fn take(&mut self, destination: &str) -> Option<Turn> {
        let fits = |turn: &&mut Turn| {
            turn.times != Some(0)
                && turn.destination.as_ref().is_none_or(|start| destination.starts_with(start))
        };
        let turn = self.0.iter_mut().find(fits)?;
        if let Some(times) = &mut turn.times {
            *times = times.saturating_sub(1);
        }
        Some(turn.clone())
    }
}
