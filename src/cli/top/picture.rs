//! What the board knows of the service: its last answers, and when they came. The caller says what time it is.

use std::collections::{BTreeMap, HashSet};

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use crate::cli::live_answer::{FailedCall, Live};

/// How long a call that is over stays on the board.
const ENDED_SHOWN: SignedDuration = SignedDuration::from_mins(5);
/// Calls that are over on the board.
const ENDED_MOST: usize = 500;

/// A call that is over, as the list of calls shows it.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct EndedCall {
    pub(super) id: String,
    pub(super) caller_id: Option<String>,
    pub(super) line: String,
    pub(super) route: Option<String>,
    pub(super) status: Option<String>,
    pub(super) cause: Option<String>,
    pub(super) blame: Option<String>,
    pub(super) voice_missing: Option<String>,
    pub(super) cloned_voice_id: Option<String>,
    pub(super) started_at: Timestamp,
    pub(super) ended_at: Option<Timestamp>,
}

impl EndedCall {
    pub(super) fn is_failed(&self) -> bool {
        self.status.as_deref() == Some("failed")
    }
}

/// Something that the service answered, or did not.
#[derive(Debug)]
pub(super) enum News {
    /// The live calls and the health, or why there is no answer.
    Live(Result<Box<Live>, String>),
    /// The failed calls of the last hour; `None`: not known, because the database does not answer.
    Failures(Option<Vec<FailedCall>>),
    /// Calls that are over.
    Ended(Vec<EndedCall>),
}

/// Since when the service does not answer, by this host's clock, and why.
#[derive(Debug)]
pub(super) struct Silence {
    pub(super) since: Timestamp,
    pub(super) words: String,
}

/// All that the board shows of the service.
#[derive(Debug, Default)]
pub(super) struct Picture {
    /// The address of the service.
    pub(super) address: String,
    /// The last answer.
    pub(super) live: Option<Live>,
    /// Failed calls of the last hour; `None`: not known.
    pub(super) failures: Option<Vec<FailedCall>>,
    /// Calls that ended in the last minutes, by id.
    pub(super) ended: BTreeMap<String, EndedCall>,
    /// Set while the service does not answer.
    pub(super) silence: Option<Silence>,
    /// The service's clock minus this host's.
    ahead: SignedDuration,
}

impl Picture {
    pub(super) fn of(address: &str) -> Self {
        Self { address: address.to_owned(), ..Self::default() }
    }

    /// Takes what the service said; `here` is the time by this host's clock.
    pub(super) fn take(&mut self, news: News, here: Timestamp) {
        match news {
            News::Live(Ok(live)) => {
                self.ahead = live.now.duration_since(here);
                self.silence = None;
                let lives: HashSet<&str> = live.items.iter().map(|call| call.id.as_str()).collect();
                self.ended.retain(|id, _| !lives.contains(id.as_str()));
                self.live = Some(*live);
            }
            News::Live(Err(words)) => {
                let since = self.silence.take().map_or(here, |silence| silence.since);
                self.silence = Some(Silence { since, words });
            }
            News::Failures(failures) => self.failures = failures,
            News::Ended(calls) => {
                let over = calls.into_iter().filter(|call| call.ended_at.is_some());
                self.ended.extend(over.map(|call| (call.id.clone(), call)));
            }
        }
        self.forget(self.now(here));
    }

    /// What time it is by the service's clock. While it does not answer, the picture stays at its last answer.
    pub(super) fn now(&self, here: Timestamp) -> Timestamp {
        match (&self.silence, &self.live) {
            (Some(_), Some(live)) => live.now,
            _ => here.saturating_add(self.ahead).unwrap_or(here),
        }
    }

    fn forget(&mut self, now: Timestamp) {
        let ended = |call: &EndedCall| call.ended_at.unwrap_or(call.started_at);
        self.ended.retain(|_, call| now.duration_since(ended(call)) <= ENDED_SHOWN);
        while self.ended.len() > ENDED_MOST {
            let oldest = self.ended.values().min_by_key(|call| ended(call)).map(|call| call.id.clone());
            let Some(oldest) = oldest else { break };
            self.ended.remove(&oldest);
        }
    }
}
