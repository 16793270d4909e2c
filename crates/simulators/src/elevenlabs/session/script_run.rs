//! Runs the script of a session: begins each step, and ends it when it is done. Pure.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::act::{Act, Say, Until};
use super::agent_session::AgentSession;
use super::ear::ms;
use super::end::EndedBy;
use super::outgoing::Outgoing;
use super::server_message;
use super::steps::{Doing, Said};
use super::tools::ToolCall;
use super::utterance::Utterance;
use crate::elevenlabs::audio::speaking_time;
use crate::elevenlabs::conversation::Ending;
use crate::elevenlabs::dialogue::{Role, Spoken, Turn};
use crate::elevenlabs::ids;

/// This much sound counts as speech.
const SPEECH: Duration = Duration::from_millis(200);

impl AgentSession {
    /// Goes on with the script as far as it can now.
    pub(super) fn run(&mut self, now: Instant) {
        while !self.is_over() {
            let doing = std::mem::take(&mut self.steps.doing);
            if let Some(still) = self.go_on(doing, now) {
                self.steps.doing = still;
                return;
            }
            // A step may have ended the conversation.
            let Some(act) = self.steps.left.pop_front().filter(|_| !self.is_over()) else { return };
            self.steps.doing = self.start(act, now);
        }
    }

    /// What is still being done; None when the step is over.
    fn go_on(&mut self, doing: Doing, now: Instant) -> Option<Doing> {
        match doing {
            Doing::Nothing => None,
            Doing::Waiting(until) => (now < until).then_some(Doing::Waiting(until)),
            Doing::Frozen(until) => (now < until).then_some(Doing::Frozen(until)),
            Doing::CallingTool(until) => {
                (now < until && self.tools.is_waiting()).then_some(Doing::CallingTool(until))
            }
            Doing::Silent(mut utterance) => {
                self.send(&mut utterance, now);
                (!utterance.is_played(now)).then_some(Doing::Silent(utterance))
            }
            Doing::Hearing { text, until, sound_before } => {
                let speech = self.ear.sound().saturating_sub(sound_before) >= SPEECH;
                if !speech && now < until {
                    return Some(Doing::Hearing { text, until, sound_before });
                }
                if let Some(text) = text.filter(|_| speech) {
                    self.transcribe(text, now);
                }
                None
            }
            Doing::Speaking { say, mut utterance, turn, sound_before } => {
                let since = now.saturating_duration_since(utterance.began());
                let cut = say.interrupt_after_ms.is_some_and(|after| since >= Duration::from_millis(after));
                let barged = say.barge_in && self.ear.sound().saturating_sub(sound_before) >= SPEECH;
                if cut || barged {
                    self.interrupt(&say, utterance, turn, now);
                    return None;
                }
                self.send(&mut utterance, now);
                if let Some(said) = self.steps.said.last_mut() {
                    said.sent_ms = ms(utterance.sent());
                }
                let is_over = match say.until {
                    Until::Sent => utterance.is_sent(),
                    Until::Played => utterance.is_played(now),
                };
                (!is_over).then_some(Doing::Speaking { say, utterance, turn, sound_before })
            }
        }
    }

    fn start(&mut self, act: Act, now: Instant) -> Doing {
        let after = |ms: u64| now.checked_add(Duration::from_millis(ms)).unwrap_or(now);
        match act {
            Act::Say(say) => return self.speak(say, now),
            Act::Hear { text, within_ms } => {
                return Doing::Hearing { text, until: after(within_ms), sound_before: self.ear.sound() };
            }
            Act::Wait { ms } | Act::Stall { ms } => return Doing::Waiting(after(ms)),
            Act::Freeze { ms } => return Doing::Frozen(after(ms)),
            Act::Silence { ms, .. } if self.is_text_only() => return Doing::Waiting(after(ms)),
            Act::Silence { ms, pace } => {
                let format = self.about.agent.agent_output_audio_format;
                let event = self.steps.next_event();
                let pace = pace.unwrap_or(self.steps.pace);
                return Doing::Silent(Utterance::new(event, format, 0, ms, pace, now));
            }
            Act::CallTool { name, parameters, within_ms } => {
                let tool_call_id = ids::tool_call();
                let event = self.steps.next_event();
                self.tell(server_message::client_tool_call(&name, &tool_call_id, &parameters, event));
                let called_after_ms = self.after_ms(now);
                self.tools
                    .called(ToolCall { name, tool_call_id, parameters, called_after_ms, answer: None }, now);
                return Doing::CallingTool(after(within_ms));
            }
            Act::Transcribe { text } => self.transcribe(text, now),
            Act::VadScore { score } => self.tell(server_message::vad_score(score)),
            Act::Send { message } => self.push(Outgoing::Text(Value::Object(message).to_string())),
            Act::SendText { text } => self.push(Outgoing::Text(text)),
            Act::Error { code, error_type, message } => {
                self.push(Outgoing::Text(server_message::error(code, &error_type, &message)));
            }
            Act::Close { code, reason, error_type: Some(error_type) } => {
                self.fail(code, &error_type, &reason, EndedBy::Error, now);
            }
            Act::Close { code: 1000, reason, error_type: None } => {
                self.close(1000, &reason, EndedBy::Agent, Ending::agent_ended(), now);
            }
            Act::Close { code, reason, error_type: None } => {
                self.close(code, &reason, EndedBy::Error, Ending::failed(code, &reason), now);
            }
            Act::Drop {} => self.drop_connection(now),
            Act::End {} => self.agent_ends(now),
        }
        Doing::Nothing
    }

    fn speak(&mut self, say: Say, now: Instant) -> Doing {
        if self.steps.voice_is_lost {
            self.voice_lost(now);
            return Doing::Nothing;
        }
        if self.is_text_only() {
            let event = self.steps.next_event();
            self.tell(server_message::agent_response(&say.text, event));
            self.note(Role::Agent, say.text, now);
            return Doing::Nothing;
        }
        let format = self.about.agent.agent_output_audio_format;
        let length = say.ms.unwrap_or_else(|| ms(speaking_time(&say.text)));
        let pace = say.pace.unwrap_or(self.steps.pace);
        let event = self.steps.next_event();
        let utterance =
            Utterance::new(event, format, self.steps.tone_hz(), length, pace, now).stalling(say.stall);
        self.tell(server_message::agent_response(&say.text, event));
        self.steps.said.push(Said {
            event_id: event,
            text: say.text.clone(),
            began_after_ms: self.after_ms(now),
            length_ms: ms(utterance.length()),
            sent_ms: 0,
            interrupted_after_ms: None,
            heard_ms: None,
        });
        let turn = self.turns.len();
        self.note(Role::Agent, say.text.clone(), now);
        Doing::Speaking { say, utterance, turn, sound_before: self.ear.sound() }
    }

    pub(super) fn send(&mut self, utterance: &mut Utterance, now: Instant) {
        while self.has_room()
            && let Some(piece) = utterance.due(now)
        {
            self.tell(server_message::audio(&piece, utterance.event_id));
        }
    }

    /// An interruption by the caller: the rest is not sent.
    fn interrupt(&mut self, say: &Say, mut utterance: Utterance, turn: usize, now: Instant) {
        let heard = utterance.heard(now);
        let interruption = self.steps.next_event();
        self.tell(server_message::interruption(interruption));
        let share = ms(heard).saturating_mul(1_000).checked_div(ms(utterance.length())).unwrap_or(1_000);
        let characters = u64::try_from(say.text.chars().count()).unwrap_or(u64::MAX);
        let kept = usize::try_from(characters.saturating_mul(share) / 1_000).unwrap_or(usize::MAX);
        let corrected: String = say.text.chars().take(kept).collect();
        self.tell(server_message::agent_response_correction(&say.text, &corrected, utterance.event_id));
        for _ in 0..say.late_pieces.min(1_000) {
            if utterance.is_sent() {
                break;
            }
            let piece = utterance.piece(now);
            self.tell(server_message::audio(&piece, utterance.event_id));
        }
        let interrupted_after_ms = Some(self.after_ms(now));
        if let Some(said) = self.steps.said.last_mut() {
            said.sent_ms = ms(utterance.sent());
            said.interrupted_after_ms = interrupted_after_ms;
            said.heard_ms = Some(ms(heard));
        }
        if let Some(spoken) = self.turns.get_mut(turn) {
            let original = std::mem::replace(&mut spoken.turn.message, corrected);
            spoken.original = Some(original);
        }
    }

    fn transcribe(&mut self, text: String, now: Instant) {
        let event = self.steps.next_event();
        self.tell(server_message::tentative_user_transcript(&text, event));
        self.tell(server_message::user_transcript(&text, event));
        self.note(Role::User, text, now);
    }

    fn note(&mut self, role: Role, message: String, now: Instant) {
        let at = self.began.map(|began| now.saturating_duration_since(began));
        self.turns.push(Spoken { turn: Turn { role, message }, at, original: None });
    }
}
