//! What the caller hears: a model of the PBX's playout. Pure: times are arguments.
//!
//! Playout begins with the first byte and takes 16 bytes a millisecond. An empty buffer is silence until more audio
//! arrives. So all figures follow from arrival times, without a timer.

use std::time::{Duration, Instant};

use serde::Serialize;

use super::silence::Silences;
use crate::shared::wav;

/// Samples a second of a telephone.
const RATE: u32 = 8_000;
/// 8,000 samples of 16 bits a second are 16 bytes a millisecond (facts page, section 1.5).
const NANOS_PER_BYTE: u64 = 62_500;
/// Longer silence is a gap that a person notices.
const GAP: Duration = Duration::from_millis(40);
/// A sample beyond this is a sound, below it is line noise.
const AUDIBLE: u16 = 200;
/// Bytes of 20 ms: sound and silence are told apart in steps of this.
const STEP: usize = 320;
/// Most gaps and arrivals that are kept of one call.
const MOST_KEPT: usize = 10_000;

/// When and how much arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Arrival {
    /// After the first byte of the call.
    pub after_ms: u64,
    /// Bytes of this piece.
    pub bytes: u64,
}

/// The first sound that the caller hears.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FirstSound {
    pub heard_at: Instant,
    pub arrived_at: Instant,
}

/// The figures so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Heard {
    pub gaps_ms: Vec<u64>,
    pub breaks_ms: Vec<u64>,
    pub longest_gap_ms: u64,
    pub max_lead_ms: u64,
    pub underruns: u64,
    pub overflow_bytes: u64,
    pub bytes_received: u64,
    pub heard_ms: u64,
}

/// One caller's ear.
#[derive(Debug)]
pub(super) struct Ear {
    kept_at_most: u64,
    buffer: Duration,
    /// Bytes at the beginning that the caller does not hear.
    discard: u64,
    began: Option<Instant>,
    /// Bytes of the timeline since it began, silence included.
    length: u64,
    timeline: Vec<u8>,
    /// Half a sample that waits for its other half.
    half: Option<u8>,
    open: bool,
    /// Whether the open stream has brought nothing yet.
    fresh: bool,
    over: bool,
    gaps: Vec<Duration>,
    breaks: Vec<Duration>,
    underruns: u64,
    max_lead: Duration,
    overflow: u64,
    received: u64,
    arrivals: Vec<Arrival>,
    first_sound: Option<FirstSound>,
    silences: Silences,
}

impl Ear {
    /// An ear that has heard nothing.
    pub fn new(record: Duration, buffer: Duration) -> Self {
        Self {
            kept_at_most: bytes(record),
            buffer,
            discard: 0,
            began: None,
            length: 0,
            timeline: Vec::new(),
            half: None,
            open: false,
            fresh: false,
            over: false,
            gaps: Vec::new(),
            breaks: Vec::new(),
            underruns: 0,
            max_lead: Duration::ZERO,
            overflow: 0,
            received: 0,
            arrivals: Vec::new(),
            first_sound: None,
            silences: Silences::default(),
        }
    }

    /// The caller is connected, and hears what is played from now on.
    pub fn listen(&mut self, now: Instant) {
        self.silences.listen(now);
    }

    /// A stream is opened.
    pub fn open(&mut self) {
        self.open = true;
        self.fresh = true;
        // A new stream begins with a whole sample.
        self.half = None;
    }

    /// The caller does not hear this much of the first audio. No effect once audio has begun.
    pub fn discard_first(&mut self, first: Duration) {
        if self.began.is_none() {
            self.discard = bytes(first);
        }
    }

    /// Bytes arrive.
    pub fn hear(&mut self, now: Instant, piece: &[u8]) {
        if piece.is_empty() || self.over {
            return;
        }
        let count = length(piece);
        self.received = self.received.saturating_add(count);
        let began = *self.began.get_or_insert(now);
        if self.arrivals.len() < MOST_KEPT {
            self.arrivals.push(Arrival { after_ms: ms(now.saturating_duration_since(began)), bytes: count });
        }
        self.run_dry(now);
        self.fresh = false;
        if self.lead(now).saturating_add(time(count)) > self.buffer {
            self.overflow = self.overflow.saturating_add(count);
            return;
        }
        self.play(now, began, piece);
        self.max_lead = self.max_lead.max(self.lead(now));
    }

    /// The stream is closed, and another may follow.
    pub fn close(&mut self, now: Instant) {
        if self.open && !self.over && self.silence(now) > GAP {
            self.run_dry(now);
        }
        self.open = false;
    }

    /// The leg is gone: the rest is not played.
    pub fn hang_up(&mut self, now: Instant) {
        self.close(now);
        self.silences.stop(now);
        if self.over {
            return;
        }
        self.over = true;
        let Some(began) = self.began else { return };
        let played = bytes(now.saturating_duration_since(began));
        self.length = self.length.min(played);
        self.timeline.truncate(index(self.length));
    }

    /// When the first byte arrived.
    pub fn began(&self) -> Option<Instant> {
        self.began
    }

    /// The first sound, once it has been played.
    pub fn first_sound(&self, now: Instant) -> Option<FirstSound> {
        let end = self.end().filter(|_| self.over);
        self.first_sound.filter(|sound| sound.heard_at <= end.unwrap_or(now))
    }

    /// When the caller heard nothing, and for how long.
    pub fn silences(&self, now: Instant) -> Vec<(Instant, Duration)> {
        self.silences.long_ones(now)
    }

    /// When and how much arrived.
    pub fn arrivals(&self) -> &[Arrival] {
        &self.arrivals
    }

    /// The figures so far.
    pub fn figures(&self, now: Instant) -> Heard {
        let running = if self.open && !self.over { self.silence(now) } else { Duration::ZERO };
        let running = Some(running).filter(|running| *running > GAP);
        let gaps: Vec<Duration> = self.gaps.iter().copied().chain(running).collect();
        let longest = gaps.iter().chain(&self.breaks).max().copied().unwrap_or_default();
        Heard {
            gaps_ms: gaps.into_iter().map(ms).collect(),
            breaks_ms: self.breaks.iter().copied().map(ms).collect(),
            longest_gap_ms: ms(longest),
            max_lead_ms: ms(self.max_lead),
            underruns: self.underruns,
            overflow_bytes: self.overflow,
            bytes_received: self.received,
            heard_ms: ms(time(self.played(now).saturating_sub(self.discard))),
        }
    }

    /// What was played so far and kept, as samples of 16 bits.
    pub fn sound(&self, now: Instant) -> &[u8] {
        let from = index(self.discard).min(self.timeline.len());
        let to = index(self.played(now)).clamp(from, self.timeline.len().max(from));
        self.timeline.get(from..to).unwrap_or_default()
    }

    /// Bytes of audio that are kept.
    pub fn size(&self) -> usize {
        self.timeline.len()
    }

    /// Forgets the audio; the figures stay.
    pub fn forget(&mut self) {
        self.timeline = Vec::new();
        self.kept_at_most = 0;
    }

    fn played(&self, now: Instant) -> u64 {
        let Some(began) = self.began.filter(|_| !self.over) else { return self.length };
        self.length.min(bytes(now.saturating_duration_since(began)))
    }

    /// When the received audio is played to its end.
    fn end(&self) -> Option<Instant> {
        self.began.and_then(|began| began.checked_add(time(self.length)))
    }

    fn lead(&self, now: Instant) -> Duration {
        self.end().map_or(Duration::ZERO, |end| end.saturating_duration_since(now))
    }

    /// For how long there has been nothing to play.
    fn silence(&self, now: Instant) -> Duration {
        self.end().map_or(Duration::ZERO, |end| now.saturating_duration_since(end))
    }

    /// Puts the silence until now into the timeline.
    fn run_dry(&mut self, now: Instant) {
        let silence = self.silence(now);
        if silence.is_zero() {
            return;
        }
        if !self.fresh {
            self.underruns = self.underruns.saturating_add(1);
        }
        // Before the first byte nothing was played, so a new stream here is never the first.
        let list = if self.fresh { &mut self.breaks } else { &mut self.gaps };
        if silence > GAP && list.len() < MOST_KEPT {
            list.push(silence);
        }
        self.extend(bytes(silence), None);
    }

    fn play(&mut self, now: Instant, began: Instant, piece: &[u8]) {
        let mut rest = piece;
        if let (Some(low), Some((high, after))) = (self.half, rest.split_first()) {
            self.half = None;
            self.note_sound(now, began, self.length, [low, *high]);
            self.extend(2, Some(&[low, *high]));
            rest = after;
        }
        let whole = rest.len() & !1;
        let (samples, odd) = rest.split_at_checked(whole).unwrap_or((rest, &[]));
        if self.first_sound.is_none() {
            let mut at = self.length;
            for sample in samples.as_chunks::<2>().0 {
                self.note_sound(now, began, at, *sample);
                at = at.saturating_add(2);
            }
        }
        self.note_sounds(began, samples);
        self.extend(length(samples), Some(samples));
        self.half = odd.first().copied();
    }

    fn note_sound(&mut self, now: Instant, began: Instant, at: u64, sample: [u8; 2]) {
        if self.first_sound.is_some() || at < self.discard || !is_audible(sample) {
            return;
        }
        if let Some(heard_at) = began.checked_add(time(at)) {
            self.first_sound = Some(FirstSound { heard_at, arrived_at: now });
        }
    }

    /// Tells when these samples, which are played next, can be heard.
    fn note_sounds(&mut self, began: Instant, samples: &[u8]) {
        let mut at = self.length;
        for step in samples.chunks(STEP) {
            let end = at.saturating_add(length(step));
            if at >= self.discard && step.as_chunks::<2>().0.iter().any(|sample| is_audible(*sample)) {
                let moment = |bytes| began.checked_add(time(bytes)).unwrap_or(began);
                self.silences.sound(moment(at), moment(end));
            }
            at = end;
        }
    }

    /// Lengthens the timeline by sound or by silence.
    fn extend(&mut self, count: u64, sound: Option<&[u8]>) {
        self.length = self.length.saturating_add(count);
        if self.length > self.kept_at_most {
            return;
        }
        match sound {
            Some(sound) => self.timeline.extend_from_slice(sound),
            None => self.timeline.resize(index(self.length), 0),
        }
    }
}

fn is_audible(sample: [u8; 2]) -> bool {
    i16::from_le_bytes(sample).unsigned_abs() > AUDIBLE
}

/// A mono WAV file of 16 bits and 8 kHz around these samples.
pub(super) fn wav(samples: &[u8]) -> Vec<u8> {
    wav::wav(RATE, samples)
}

/// Whole milliseconds.
pub(super) fn ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// How long this many bytes play.
fn time(bytes: u64) -> Duration {
    Duration::from_nanos(bytes.saturating_mul(NANOS_PER_BYTE))
}

/// How many bytes play in this time, whole samples only.
pub(super) fn bytes(time: Duration) -> u64 {
    let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
    (nanos / NANOS_PER_BYTE) & !1
}

fn length(piece: &[u8]) -> u64 {
    u64::try_from(piece.len()).unwrap_or(u64::MAX)
}

fn index(at: u64) -> usize {
    usize::try_from(at).unwrap_or(usize::MAX)
}
