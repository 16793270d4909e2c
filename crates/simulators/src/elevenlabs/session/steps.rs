//! The steps of a running script: the current one, those that are left, and what was said.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::act::{Act, Pace, Say};
use super::agent_settings::Agent;
use super::initiation::Initiation;
use super::utterance::Utterance;
use crate::elevenlabs::audio::voice_tone_hz;

/// An utterance of the agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Said {
    /// Of its audio.
    pub event_id: u64,
    /// The words.
    pub text: String,
    /// First audio sent, after the socket was opened.
    pub began_after_ms: u64,
    /// How long it would have been.
    pub length_ms: u64,
    /// How much audio was sent.
    pub sent_ms: u64,
    /// When it was interrupted, after the socket was opened.
    pub interrupted_after_ms: Option<u64>,
    /// How much the caller had heard by then, if it was played on arrival.
    pub heard_ms: Option<u64>,
}

/// The current step.
#[derive(Debug, Default)]
pub(super) enum Doing {
    /// The next step begins.
    #[default]
    Nothing,
    Waiting(Instant),
    Frozen(Instant),
    Speaking {
        say: Say,
        utterance: Utterance,
        turn: usize,
        sound_before: Duration,
    },
    Silent(Utterance),
    Hearing {
        text: Option<String>,
        until: Instant,
        sound_before: Duration,
    },
    CallingTool(Instant),
}

/// The script under way.
#[derive(Debug, Default)]
pub(super) struct Steps {
    pub left: VecDeque<Act>,
    pub doing: Doing,
    pub said: Vec<Said>,
    pub voice_is_lost: bool,
    tone_hz: u32,
    pub pace: Pace,
    events: u64,
}

impl Steps {
    pub fn new(initiation: &Initiation, agent: &Agent, now: Instant) -> Self {
        let acts = match agent.never_speaks {
            true => Vec::new(),
            false => agent.script.acts(initiation.first_message(), &initiation.variables()),
        };
        Self {
            left: acts.into(),
            doing: Doing::Waiting(now),
            tone_hz: voice_tone_hz(initiation.voice()),
            pace: agent.pace,
            ..Self::default()
        }
    }

    /// In which tone it speaks, in hertz.
    pub fn tone_hz(&self) -> u32 {
        self.tone_hz
    }

    pub(crate) fn is_frozen(&self, now: Instant) -> bool {
        matches!(self.doing, Doing::Frozen(until) if now < until)
    }

    /// Nothing more is done.
    pub fn stop(&mut self) {
        self.left.clear();
        self.doing = Doing::Nothing;
    }

    /// The id of the next event.
    pub(crate) fn next_event(&mut self) -> u64 {
        self.events = self.events.saturating_add(1);
        self.events
    }
}
