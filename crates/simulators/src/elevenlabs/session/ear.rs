//! Measures the audio that the agent receives: amount, gaps, loudness. Pure: times are arguments.

use std::time::{Duration, Instant};

use serde::Serialize;

use super::format::AgentAudio;

/// A longer time without audio is a gap.
const GAP: Duration = Duration::from_millis(40);
/// Most gaps that are kept.
const MOST_GAPS: usize = 1_000;
/// Mean amplitude from which audio counts as sound. Line noise stays below it.
const SOUND: u32 = 300;

/// The figures of the received audio.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct UserAudio {
    /// `user_audio_chunk` messages.
    pub messages: u64,
    /// Bytes, decoded.
    pub bytes: u64,
    /// How long they play.
    pub ms: u64,
    /// How much of that was louder than line noise.
    pub sound_ms: u64,
    /// Messages that held half a sample at their end.
    pub odd_messages: u64,
    /// The first message, after the socket was opened.
    pub first_after_ms: Option<u64>,
    /// The last message, after the socket was opened.
    pub last_after_ms: Option<u64>,
    /// The first sound, after the socket was opened.
    pub first_sound_after_ms: Option<u64>,
    /// The longest time between two messages.
    pub longest_interval_ms: u64,
    /// Gaps over 40 ms.
    pub gaps_ms: Vec<u64>,
    /// The most that was sent ahead of the clock.
    pub max_lead_ms: u64,
}

/// The measurement of one conversation.
#[derive(Debug)]
pub(super) struct Ear {
    format: AgentAudio,
    opened: Instant,
    figures: UserAudio,
    samples: u64,
    last: Option<Instant>,
    /// When the received audio ends, played at its rate.
    end: Option<Instant>,
    sound: Duration,
    longest_interval: Duration,
    max_lead: Duration,
    kept_at_most: usize,
    kept: Vec<u8>,
}

impl Ear {
    /// A measurement that also keeps this many bytes from the beginning.
    pub fn new(format: AgentAudio, kept_at_most: usize, opened: Instant) -> Self {
        Self {
            format,
            opened,
            figures: UserAudio::default(),
            samples: 0,
            last: None,
            end: None,
            sound: Duration::ZERO,
            longest_interval: Duration::ZERO,
            max_lead: Duration::ZERO,
            kept_at_most,
            kept: Vec::new(),
        }
    }

    /// A chunk arrives. True when it is louder than line noise.
    pub fn hear(&mut self, now: Instant, audio: &[u8]) -> bool {
        let bytes = u64::try_from(audio.len()).unwrap_or(u64::MAX);
        let samples = bytes / self.format.width();
        let after = ms(now.saturating_duration_since(self.opened));
        self.figures.messages = self.figures.messages.saturating_add(1);
        self.figures.bytes = self.figures.bytes.saturating_add(bytes);
        self.samples = self.samples.saturating_add(samples);
        if !bytes.is_multiple_of(self.format.width()) {
            self.figures.odd_messages = self.figures.odd_messages.saturating_add(1);
        }
        self.figures.first_after_ms.get_or_insert(after);
        self.figures.last_after_ms = Some(after);
        if let Some(last) = self.last.replace(now) {
            self.longest_interval = self.longest_interval.max(now.saturating_duration_since(last));
        }
        let length = self.format.time(samples);
        self.time(now, length);
        let room = self.kept_at_most.saturating_sub(self.kept.len());
        self.kept.extend_from_slice(audio.get(..room).unwrap_or(audio));
        let is_sound = self.format.loudness(audio) >= SOUND;
        if is_sound {
            self.sound = self.sound.saturating_add(length);
            self.figures.first_sound_after_ms.get_or_insert(after);
        }
        is_sound
    }

    fn time(&mut self, now: Instant, length: Duration) {
        let end = self.end.unwrap_or(now);
        let dry = now.saturating_duration_since(end);
        if dry > GAP && self.figures.gaps_ms.len() < MOST_GAPS {
            self.figures.gaps_ms.push(ms(dry));
        }
        let end = end.max(now).checked_add(length).unwrap_or(now);
        self.max_lead = self.max_lead.max(end.saturating_duration_since(now).saturating_sub(length));
        self.end = Some(end);
    }

    /// The sound so far.
    pub fn sound(&self) -> Duration {
        self.sound
    }

    /// The figures so far.
    pub fn figures(&self) -> UserAudio {
        UserAudio {
            ms: ms(self.format.time(self.samples)),
            sound_ms: ms(self.sound),
            longest_interval_ms: ms(self.longest_interval),
            max_lead_ms: ms(self.max_lead),
            ..self.figures.clone()
        }
    }

    /// The beginning of the audio, as received.
    pub fn kept(&self) -> &[u8] {
        &self.kept
    }

    /// Bytes that it may keep.
    pub(crate) fn kept_at_most(&self) -> usize {
        self.kept_at_most
    }

    /// Drops the audio and keeps the figures.
    pub fn forget(&mut self) {
        self.kept = Vec::new();
        self.kept_at_most = 0;
    }
}

/// Whole milliseconds.
pub(super) fn ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
