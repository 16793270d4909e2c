//! The spans of a finished call, from its event log: the call, its greeting, clone, handoffs and conversations.
//!
//! Pure: the log is an argument. Spans hold names and ids of precall and ElevenLabs, no number of a caller and nothing
//! that was said: the log's events do not have them either.

use std::collections::HashMap;

use precall_call::{
    At, Blame, Call, CallId, CloneJobId, Event, GreetingEnd, NoVoice, Phase, Purpose, Release, Rung, Voice,
    open, step,
};
use precall_providers::otlp::{Span, SpanKind};
use precall_providers::trace_context::TracedPart;
use precall_store::events::event_json;
use precall_store::reads::clone_steps::CloneSteps;

use super::open_spans::OpenSpans;

/// OpenTelemetry's name of the conversation's id (semantic conventions, generative AI).
const CONVERSATION_ID: &str = "gen_ai.conversation.id";
/// OpenTelemetry's name of the service that a request goes to.
const PEER: &str = "peer.service";
const PROVIDER: &str = "elevenlabs";

/// The clone jobs that the call heard of.
pub(super) fn clone_jobs(log: &[(Event, At)]) -> Vec<CloneJobId> {
    let mut jobs: Vec<CloneJobId> = Vec::new();
    for (event, _) in log {
        if let Event::VoiceReady { job: Some(job), .. } | Event::VoiceMissing { job: Some(job), .. } = event
            && !jobs.contains(job)
        {
            jobs.push(*job);
        }
    }
    jobs
}

/// The spans of this call, the root first. None if the log is not that of a call that is over.
pub(super) fn call_spans(
    call: CallId,
    log: &[(Event, At)],
    jobs: &HashMap<CloneJobId, CloneSteps>,
) -> Option<Vec<Span>> {
    let ((first, at), later) = log.split_first()?;
    let Event::Offered(offer) = first else { return None };
    let mut state = open(offer, *at).next;
    let mut story =
        Story { spans: OpenSpans::new(call, *at), seen: Seen::default(), clones: 0, lost: None, jobs };
    story.spans.set(TracedPart::Call, "precall.call.id", call.to_string());
    story.observe(first, *at, &state);
    for (event, at) in later {
        if state.is_released() {
            break;
        }
        state = step(&state, event, *at).next;
        story.observe(event, *at, &state);
    }
    let (release, ended) = (state.release()?, state.instants.released?);
    Some(story.finish(&state, release, ended))
}

/// What of a state decides which spans are open.
#[derive(Clone, Copy, Default)]
struct Seen {
    greets: bool,
    awaits_voice: bool,
    /// The attempt whose agent is in the call, also while it is parked.
    talks: Option<u8>,
}

impl Seen {
    fn of(call: &Call) -> Self {
        let talks = match call.phase {
            Phase::Conversing(with) => Some(with.attempt),
            Phase::HandingOff(handoff) => handoff.parked.map(|parked| parked.attempt),
            Phase::Offered | Phase::Greeting(_) | Phase::Holding | Phase::Released(_) => None,
        };
        let talks = talks.filter(|attempt| attempt.rung.leads_to_agent()).map(|attempt| attempt.number);
        Self { greets: call.is_greeting(), awaits_voice: call.awaits_voice, talks }
    }
}

struct Story<'a> {
    spans: OpenSpans,
    seen: Seen,
    /// How often the call asked for a voice.
    clones: u8,
    /// Why the last agent was lost.
    lost: Option<&'static str>,
    jobs: &'a HashMap<CloneJobId, CloneSteps>,
}

impl Story<'_> {
    fn observe(&mut self, event: &Event, at: At, after: &Call) {
        let (before, now) = (self.seen, Seen::of(after));
        self.begin(before, now, at);
        self.hear(event, at);
        if let Some(attempt) = now.talks
            && let Some(id) = after.conversation(Purpose::Agent).and_then(|agent| agent.id.as_ref())
        {
            self.spans.set(TracedPart::Conversation(attempt), CONVERSATION_ID, id.as_str());
        }
        self.end(before, now, event, at, after);
        self.seen = now;
    }

    fn begin(&mut self, before: Seen, now: Seen, at: At) {
        let call = Some(TracedPart::Call);
        if now.greets && !before.greets {
            self.spans.begin(TracedPart::Greeting, call, "greeting", SpanKind::Internal, at);
        }
        if now.awaits_voice && !before.awaits_voice {
            self.clones = self.clones.saturating_add(1);
            self.spans.begin(TracedPart::Clone(self.clones), call, "clone", SpanKind::Internal, at);
        }
        if let Some(attempt) = now.talks.filter(|_| now.talks != before.talks) {
            let part = TracedPart::Conversation(attempt);
            self.spans.begin(part, call, "conversation", SpanKind::Internal, at);
            self.spans.set(part, "precall.attempt", attempt);
            self.spans.set(part, "gen_ai.provider.name", PROVIDER);
        }
    }

    fn end(&mut self, before: Seen, now: Seen, event: &Event, at: At, after: &Call) {
        if before.greets && !now.greets {
            self.spans.end(TracedPart::Greeting, at, greeting_error(event));
        }
        // The call went on without an answer about the voice.
        let part = TracedPart::Clone(self.clones);
        if before.awaits_voice && !now.awaits_voice && self.spans.is_open(part) {
            let why = match after.voice {
                Voice::Fallback(why) => Some(why),
                Voice::Awaited | Voice::Cloned(_) => None,
            };
            self.no_voice(part, why, at);
        }
        if let Some(attempt) = before.talks.filter(|_| now.talks != before.talks) {
            let lost = self.lost.take();
            self.spans.end(TracedPart::Conversation(attempt), at, lost);
        }
    }

    /// What the event itself says.
    fn hear(&mut self, event: &Event, at: At) {
        match event {
            Event::GreetingDialled => {
                let (dial, greeting) = (TracedPart::GreetingDial, Some(TracedPart::Greeting));
                self.spans.begin(dial, greeting, "dial", SpanKind::Client, at);
                self.spans.set(dial, PEER, PROVIDER);
            }
            Event::GreetingStarted { conversation } => {
                if let Some(id) = conversation {
                    self.spans.set(TracedPart::GreetingDial, CONVERSATION_ID, id.as_str());
                }
                self.spans.end(TracedPart::GreetingDial, at, None);
                self.spans.event(TracedPart::Greeting, event_json::kind(event), at);
            }
            Event::SoundStarted | Event::NoticeEnded { .. } => {
                self.spans.event(TracedPart::Greeting, event_json::kind(event), at);
            }
            Event::GreetingEnded { end } => {
                self.spans.end(TracedPart::GreetingDial, at, greeting_error(event));
                self.spans.set(TracedPart::Greeting, "precall.greeting.end", end.name());
            }
            Event::VoiceReady { job, source, .. } => {
                let part = TracedPart::Clone(self.clones);
                self.spans.set(part, "precall.voice.source", source.name());
                self.job(*job, at);
                self.spans.end(part, at, None);
            }
            Event::VoiceMissing { why, job } => {
                self.job(*job, at);
                self.no_voice(TracedPart::Clone(self.clones), Some(*why), at);
            }
            Event::HandoffStarted { attempt, rung } => self.attempt(*attempt, *rung, at),
            Event::HandoffSucceeded { attempt, conversation } => {
                for part in [TracedPart::AgentDial(*attempt), TracedPart::Handoff(*attempt)] {
                    if let Some(id) = conversation {
                        self.spans.set(part, CONVERSATION_ID, id.as_str());
                    }
                    self.spans.end(part, at, None);
                }
            }
            Event::HandoffFailed { attempt, why } => {
                for part in [TracedPart::AgentDial(*attempt), TracedPart::Handoff(*attempt)] {
                    self.spans.end(part, at, Some(why.name()));
                }
            }
            Event::AgentSpoke { attempt } | Event::AgentEnded { attempt } => {
                self.spans.event(TracedPart::Conversation(*attempt), event_json::kind(event), at);
            }
            Event::AgentLost { why, .. } => self.lost = Some(why.name()),
            Event::LegRinging
            | Event::AnswerRefused
            | Event::LegRoutedAway
            | Event::LegConnected
            | Event::LegGone
            | Event::AudioLost
            | Event::PbxStateChanged { .. }
            | Event::PbxCallEnded { .. }
            | Event::VoiceWithdrawn { .. }
            | Event::ProofAsked { .. }
            | Event::ProofGiven { .. }
            | Event::PinRefused { .. }
            | Event::PersonAsked { .. }
            | Event::OperatorAsked { .. }
            | Event::TransferAsked { .. }
            | Event::AgentTold { .. }
            | Event::DeadlinePassed { .. }
            | Event::Panicked { .. }
            | Event::Resumed { .. } => self.spans.event(TracedPart::Call, event_json::kind(event), at),
            // What is said and pressed belongs to the caller. The others are spans themselves, or nothing new.
            Event::Utterance { .. }
            | Event::DtmfReceived { .. }
            | Event::Offered(_)
            | Event::AudioEnded(_)
            | Event::GreetingRuns
            | Event::Reported(_) => {}
        }
    }

    fn attempt(&mut self, attempt: u8, rung: Rung, at: At) {
        let part = TracedPart::Handoff(attempt);
        let name = match rung {
            Rung::BridgeCloned
            | Rung::BridgeFallback
            | Rung::Transfer
            | Rung::CallbackCloned
            | Rung::CallbackFallback => "handoff",
            Rung::Destination => "fallback",
            Rung::Person => "transfer",
            Rung::Apology => "apology",
        };
        self.spans.begin(part, Some(TracedPart::Call), name, SpanKind::Internal, at);
        self.spans.set(part, "precall.attempt", attempt);
        self.spans.set(part, "precall.rung", rung.name());
        if rung.dials() {
            let dial = TracedPart::AgentDial(attempt);
            self.spans.begin(dial, Some(part), "dial", SpanKind::Client, at);
            self.spans.set(dial, PEER, PROVIDER);
        }
    }

    fn no_voice(&mut self, part: TracedPart, why: Option<NoVoice>, at: At) {
        if let Some(why) = why.filter(|_| self.spans.is_open(part)) {
            self.spans.set(part, "precall.voice.missing", why.name());
        }
        self.spans.end(part, at, why.filter(|why| is_fault(*why)).map(NoVoice::name));
    }

    /// The steps of the job that the call waited for. Another call may have begun it earlier.
    fn job(&mut self, job: Option<CloneJobId>, now: At) {
        let Some(job) = job else { return };
        let (number, call) = (self.clones, TracedPart::Clone(self.clones));
        self.spans.set(call, "precall.clone.job", job.to_string());
        let (Some(steps), Some(asked)) = (self.jobs.get(&job), self.spans.start_of(call)) else { return };
        let ended = steps.end.map(|end| end.at);
        let took = steps.end.and_then(|end| end.took);
        let uploaded = match (ended, took) {
            (Some(ended), Some(took)) => {
                let micros = i64::try_from(took.as_micros()).unwrap_or(i64::MAX);
                Some(At(ended.0.saturating_sub(micros)))
            }
            (Some(_) | None, _) => steps.requested,
        };
        let queue = ("clone queue", SpanKind::Internal);
        let until = uploaded.or(ended).unwrap_or(now);
        if until > asked {
            self.spans.whole(TracedPart::CloneQueue(number), call, queue, (asked, until), None);
        }
        if let Some(began) = uploaded {
            let part = TracedPart::CloneUpload(job);
            let failed = steps.end.and_then(|end| end.failed).map(NoVoice::name);
            let upload = ("clone upload", SpanKind::Client);
            self.spans.whole(part, call, upload, (began, ended.unwrap_or(now)), failed);
            self.spans.set(part, PEER, PROVIDER);
        }
        if let Some(ended) = ended.filter(|ended| *ended <= now) {
            let ready = ("clone ready", SpanKind::Internal);
            self.spans.whole(TracedPart::CloneReady(number), call, ready, (ended.max(asked), now), None);
        }
    }

    fn finish(mut self, call: &Call, release: Release, at: At) -> Vec<Span> {
        let root = TracedPart::Call;
        self.spans.set(root, "precall.line", call.policy.line.as_str());
        self.spans.set(root, "precall.route", call.policy.route.name());
        self.spans.set(root, "precall.cause", release.cause.name());
        self.spans.set(root, "precall.told", release.told.name());
        if let Some(blame) = release.blame {
            self.spans.set(root, "precall.blame", blame.name());
        }
        if let Voice::Fallback(why) = call.voice {
            self.spans.set(root, "precall.voice.missing", why.name());
        }
        // A caller who hangs up or does not answer, and an operator, make no error of the call.
        let failed = match release.blame {
            Some(Blame::Pbx | Blame::Provider | Blame::Precall) => Some(release.cause.name()),
            Some(Blame::Caller | Blame::Operator) | None => None,
        };
        self.spans.finish(at, failed)
    }
}

fn greeting_error(event: &Event) -> Option<&'static str> {
    let Event::GreetingEnded { end } = event else { return None };
    match end {
        GreetingEnd::Played | GreetingEnd::Skipped | GreetingEnd::Busy | GreetingEnd::NoAnswer => None,
        GreetingEnd::Refused | GreetingEnd::Failed | GreetingEnd::Unknown => Some(end.name()),
    }
}

/// Whether the missing voice is a fault. The others follow from a rule.
fn is_fault(why: NoVoice) -> bool {
    match why {
        NoVoice::NoMapping
        | NoVoice::NoConsent
        | NoVoice::Unproven
        | NoVoice::Budget
        | NoVoice::Erased
        | NoVoice::OperatorAsked => false,
        NoVoice::NoSlot
        | NoVoice::SampleRefused
        | NoVoice::CloneFailed
        | NoVoice::CloneTimeout
        | NoVoice::DatabaseUnreachable
        | NoVoice::OverrideRefused
        | NoVoice::BreakerOpen => true,
    }
}

#[cfg(test)]
mod tests;
