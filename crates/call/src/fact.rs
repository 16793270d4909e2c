//! Facts: what a step made true. Derived rows, metrics and budgets follow from them.

use core::time::Duration;

use crate::cause::{NoVoice, Release};
use crate::event::{Event, Grade, VoiceSource};
use crate::ids::{CloneJobId, ConversationId, VoiceId};
use crate::policy::Rung;
use crate::state::{Call, Voice};

/// Something that became true, once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact {
    /// The call came in.
    Offered,
    /// The greeting reached the provider or the leg. The time since the offer.
    GreetingStarted(Duration),
    /// The first frame was written into the leg. The time since precall heard that the leg is connected.
    FirstFrame(Duration),
    /// The first frame with sound was written into the leg. The time since precall heard that the leg is connected.
    FirstSound(Duration),
    /// The notice was heard to its end.
    NoticeEnded,
    /// The caller's voice can be used.
    VoiceReady {
        /// The voice.
        voice: VoiceId,
        /// The clone job that made it; none for a voice from the cache.
        job: Option<CloneJobId>,
        /// Cache or fresh clone.
        source: VoiceSource,
        /// How long this call waited.
        took: Duration,
    },
    /// The caller entered a wrong PIN.
    PinRefused,
    /// The caller's voice cannot be used.
    VoiceMissing(NoVoice),
    /// An attempt of this rung reached its destination.
    HandedOff(Rung),
    /// The provider reported on a conversation of this call. Its duration and cost count against the budgets. A
    /// repeated report changes nothing and gives no fact, so each conversation counts once.
    ConversationReported {
        /// The conversation.
        conversation: ConversationId,
        /// How long it lasted, if the report says so.
        duration: Option<Duration>,
    },
    /// A part of the call panicked.
    Panicked,
    /// The call ended.
    Released(Release),
}

/// What `event` made true between `before` (none at the offer) and `after`. Call it only for an event that changed
/// the call: other events are not logged and make nothing true.
#[must_use]
pub fn facts(before: Option<&Call>, event: &Event, after: &Call) -> Vec<Fact> {
    let mut facts = Vec::new();
    let Some(before) = before else {
        facts.push(Fact::Offered);
        facts.extend(after.release().map(Fact::Released));
        return facts;
    };
    if let (None, Some(at)) = (before.instants.greeting_started, after.instants.greeting_started) {
        facts.push(Fact::GreetingStarted(at.since(after.instants.offered)));
    }
    facts.extend(audio_facts(before, after));
    if before.voice != after.voice {
        facts.extend(voice_fact(event, &after.voice));
    }
    if after.wrong_pins > before.wrong_pins {
        facts.push(Fact::PinRefused);
    }
    if let (None, Some(_), Some(rung)) =
        (before.instants.handed_off, after.instants.handed_off, after.tried.last())
    {
        facts.push(Fact::HandedOff(*rung));
    }
    facts.extend(report_fact(event, after));
    if after.panics > before.panics {
        facts.push(Fact::Panicked);
    }
    if let (None, Some(release)) = (before.release(), after.release()) {
        facts.push(Fact::Released(release));
    }
    facts
}

fn audio_facts(before: &Call, after: &Call) -> Vec<Fact> {
    let mut facts = Vec::new();
    let Some(connected) = after.instants.leg_connected else { return facts };
    // Both times may change until the greeting is over.
    if before.is_greeting() && !after.is_greeting() {
        facts.extend(after.instants.greeting_started.map(|at| Fact::FirstFrame(at.since(connected))));
        facts.extend(after.instants.sound_started.map(|at| Fact::FirstSound(at.since(connected))));
    }
    if before.instants.notice_ended.is_none() && after.instants.notice_ended.is_some() {
        facts.push(Fact::NoticeEnded);
    }
    facts
}

fn voice_fact(event: &Event, voice: &Voice) -> Option<Fact> {
    match (event, voice) {
        (Event::VoiceReady { voice, job, source, took }, Voice::Cloned(_)) => {
            Some(Fact::VoiceReady { voice: voice.clone(), job: *job, source: *source, took: *took })
        }
        (_, Voice::Fallback(why)) => Some(Fact::VoiceMissing(*why)),
        (_, Voice::Awaited | Voice::Cloned(_)) => None,
    }
}

/// A report counts only if its conversation is known to be of this call.
fn report_fact(event: &Event, after: &Call) -> Option<Fact> {
    let Event::Reported(report) = event else { return None };
    let ours = after.conversations.iter().any(|known| known.id.as_ref() == Some(&report.conversation));
    // The result of a voicemail test is no report of the conversation's end.
    (ours && report.grade != Grade::Initiated).then(|| Fact::ConversationReported {
        conversation: report.conversation.clone(),
        duration: report.duration,
    })
}
