//! What happened in a call, as strips on one time scale. Pure: everything comes from the replayed log, and what the log
//! does not say is not drawn.

mod agent;
mod heard;
mod leg;
mod voice;

use precall_call::{At, Call, CloneJobId, Event, Operator};
use precall_store::reads::clone_steps::CloneSteps;

use crate::story::Moment;

/// How a span is drawn. The style sheet has a colour and a pattern for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// The line is open and nothing is heard.
    Silence,
    /// Hold music.
    Music,
    /// A telephone rings, or is dialled.
    Ringing,
    /// precall speaks: notice, greeting, apology.
    Speech,
    /// The agent.
    Agent,
    /// A person or queue.
    Person,
    /// Somebody waits.
    Waiting,
    /// Work goes on.
    Work,
    /// It went well.
    Good,
    /// It failed.
    Bad,
}

impl Look {
    /// The class in the style sheet.
    pub(super) fn class(self) -> &'static str {
        match self {
            Self::Silence => "silence",
            Self::Music => "music",
            Self::Ringing => "ringing",
            Self::Speech => "speech",
            Self::Agent => "agent",
            Self::Person => "person",
            Self::Waiting => "waiting",
            Self::Work => "work",
            Self::Good => "well",
            Self::Bad => "failed",
        }
    }
}

/// Something that lasted, or a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Span {
    /// When it began.
    pub(super) from: At,
    /// When it was over; the same as `from` for a moment, none if it goes on.
    pub(super) to: Option<At>,
    /// How it is drawn.
    pub(super) look: Look,
    /// What it was, in a few words.
    pub(super) words: String,
    /// Who caused it.
    pub(super) by: String,
    /// The event that began it.
    pub(super) seq: i64,
}

impl Span {
    /// Whether it is a moment.
    pub(super) fn is_moment(&self) -> bool {
        self.to == Some(self.from)
    }
}

/// One strip.
#[derive(Debug)]
pub(super) struct Strip {
    /// Its name.
    pub(super) name: &'static str,
    /// In order of their beginning.
    pub(super) spans: Vec<Span>,
}

/// A clone job that the call's log names, and its steps.
#[derive(Clone, Copy, Debug)]
pub(super) struct Job {
    /// The job.
    pub(super) id: CloneJobId,
    /// What it did.
    pub(super) steps: CloneSteps,
}

/// All strips of a call.
pub(super) fn strips(moments: &[Moment], jobs: &[Job]) -> Vec<Strip> {
    let strip = |name, spans| Strip { name, spans };
    let first = moments.first().and_then(|moment| moment.after.as_ref());
    let has_leg = first.is_none_or(|call| call.policy.on_live_leg());
    let mut all = vec![
        strip("the caller heard", heard::spans(moments)),
        strip("voice", voice::spans(moments, jobs)),
        strip("agent", agent::spans(moments)),
        strip("leg at the PBX", leg::spans(moments)),
        strip("PBX commands", leg::commands(moments)),
    ];
    // On route `callback` there is no leg, and the PBX may say nothing.
    all.retain(|strip| has_leg || !strip.name.contains("PBX") || !strip.spans.is_empty());
    all
}

/// Begin and end of the scale. Reports that come after the end do not stretch it.
pub(super) fn scale(moments: &[Moment], now: At) -> (At, At) {
    let begin = moments.first().map_or(now, |moment| moment.at);
    let released = moments.iter().rev().find_map(|moment| moment.after.as_ref()?.instants.released);
    let last = moments.last().map_or(now, |moment| moment.at);
    let is_live =
        moments.last().is_some_and(|moment| moment.after.as_ref().is_some_and(|call| !call.is_released()));
    let end = if is_live { now } else { released.unwrap_or(last) };
    // A call that was refused is over at once. What happens at the end needs some room.
    let end = end.max(At(begin.0.saturating_add(1_000_000)));
    let room = if is_live { 0 } else { end.0.saturating_sub(begin.0) / 50 };
    (begin, At(end.0.saturating_add(room)))
}

/// Moments with the call before them; those without a readable state are left out.
fn steps(moments: &[Moment]) -> impl Iterator<Item = Step<'_>> {
    let before = std::iter::once(None).chain(moments.iter().map(|moment| moment.after.as_ref()));
    moments.iter().zip(before).filter_map(|(moment, before)| {
        Some(Step { moment, before, after: moment.after.as_ref()?, event: moment.event.as_ref()? })
    })
}

/// An event, and the call before and after it.
#[derive(Clone, Copy)]
struct Step<'a> {
    moment: &'a Moment,
    before: Option<&'a Call>,
    after: &'a Call,
    event: &'a Event,
}

impl Step<'_> {
    /// Whether the call ended with this event.
    fn ends_call(&self) -> bool {
        self.after.is_released() && self.before.is_none_or(|before| !before.is_released())
    }

    /// Who caused the event.
    fn by(&self) -> String {
        caused_by(self.event)
    }
}

/// Who caused an event.
pub(super) fn caused_by(event: &Event) -> String {
    let operator = |by: &Option<Operator>| {
        by.as_ref().map_or_else(|| "an operator".to_owned(), |by| format!("operator {}", by.as_str()))
    };
    match event {
        Event::OperatorAsked { by, .. } | Event::TransferAsked { by, .. } => operator(by),
        Event::AgentTold { by, .. } => format!("operator {}", by.as_str()),
        Event::Offered(_)
        | Event::LegRinging
        | Event::LegConnected
        | Event::AnswerRefused
        | Event::AudioLost
        | Event::PbxStateChanged { .. }
        | Event::PbxCallEnded { .. } => "3CX".to_owned(),
        Event::LegGone | Event::DtmfReceived { .. } | Event::PinRefused { .. } | Event::ProofGiven { .. } => {
            "the caller's side".to_owned()
        }
        Event::AgentSpoke { .. }
        | Event::AgentEnded { .. }
        | Event::AgentLost { .. }
        | Event::PersonAsked { .. }
        | Event::Utterance { .. }
        | Event::Reported(_)
        | Event::GreetingRuns => "ElevenLabs".to_owned(),
        Event::LegRoutedAway
        | Event::SoundStarted
        | Event::NoticeEnded { .. }
        | Event::AudioEnded(_)
        | Event::GreetingDialled
        | Event::GreetingStarted { .. }
        | Event::GreetingEnded { .. }
        | Event::VoiceReady { .. }
        | Event::VoiceMissing { .. }
        | Event::VoiceWithdrawn { .. }
        | Event::ProofAsked { .. }
        | Event::HandoffStarted { .. }
        | Event::HandoffSucceeded { .. }
        | Event::HandoffFailed { .. }
        | Event::DeadlinePassed { .. }
        | Event::Panicked { .. }
        | Event::Resumed { .. } => "precall".to_owned(),
    }
}

/// A strip that is being drawn: at most one span goes on at a time.
#[derive(Default)]
struct Drawing {
    spans: Vec<Span>,
}

impl Drawing {
    /// Begins a span and ends the one that goes on. The same again goes on.
    fn begin(&mut self, step: &Step<'_>, look: Look, words: impl Into<String>, by: impl Into<String>) {
        let words = words.into();
        if self.open().is_some_and(|open| open.look == look && open.words == words) {
            return;
        }
        self.end(step.moment.at);
        let (from, seq) = (step.moment.at, step.moment.seq);
        self.spans.push(Span { from, to: None, look, words, by: by.into(), seq });
    }

    /// The span that goes on.
    fn open(&mut self) -> Option<&mut Span> {
        self.spans.iter_mut().rev().find(|span| span.to.is_none())
    }

    /// Ends the span that goes on. One that took no time was none.
    fn end(&mut self, at: At) {
        self.spans.retain(|span| span.to.is_some() || span.from != at);
        if let Some(open) = self.open() {
            open.to = Some(at);
        }
    }

    /// Ends the span that goes on, and says how.
    fn end_as(&mut self, at: At, look: Look, outcome: &str) {
        if let Some(open) = self.open() {
            open.to = Some(at);
            open.look = look;
            open.words = format!("{}: {outcome}", open.words);
        }
    }

    /// Notes a moment.
    fn note(&mut self, step: &Step<'_>, look: Look, words: impl Into<String>, by: impl Into<String>) {
        let (at, seq) = (step.moment.at, step.moment.seq);
        self.spans.push(Span { from: at, to: Some(at), look, words: words.into(), by: by.into(), seq });
    }

    fn done(mut self) -> Vec<Span> {
        self.spans.sort_by_key(|span| span.from);
        self.spans
    }
}

#[cfg(test)]
mod tests;
