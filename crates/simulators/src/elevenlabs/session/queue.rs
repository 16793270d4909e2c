//! The queue before a conversation: `queue` of `PUT /sim/agent`. An agent whose concurrency is used up lets the client
//! wait, with `queue_status` events and hold audio, before `conversation_initiation_metadata`.
//!
//! The changelog of 2026-09-14 names the event `queue_status`; its fields are not published, so it has none here.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::act::LONGEST_MS;
use super::utterance::Utterance;

/// The tone of the hold audio: no voice has it.
pub(super) const HOLD_HZ: u32 = 1_700;
/// Its event: events of the conversation begin at 1.
pub(super) const HOLD_EVENT: u64 = 0;

/// How long a client waits, and what it is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Queue {
    /// How long it waits, in milliseconds.
    pub wait_ms: u64,
    /// How often `queue_status` is sent, in milliseconds.
    #[serde(default = "every_second")]
    pub status_every_ms: u64,
    /// Whether hold audio is sent.
    #[serde(default = "yes")]
    pub hold_audio: bool,
}

fn every_second() -> u64 {
    1_000
}

fn yes() -> bool {
    true
}

impl Queue {
    /// A wait with hold audio and an event every second.
    pub fn of_ms(wait_ms: u64) -> Self {
        Self { wait_ms, status_every_ms: every_second(), hold_audio: yes() }
    }

    /// Says what is wrong.
    pub(super) fn check(self) -> Result<(), String> {
        let times = [self.wait_ms, self.status_every_ms];
        match times.iter().any(|ms| *ms == 0 || *ms > LONGEST_MS) {
            true => Err(format!("times of the queue are from 1 to {LONGEST_MS} ms")),
            false => Ok(()),
        }
    }
}

/// A client that waits.
#[derive(Debug)]
pub(super) struct Queued {
    pub until: Instant,
    pub next_status: Instant,
    pub every: Duration,
    pub hold: Option<Utterance>,
}
