//! Whether a conversation is at a pause: then another process can go on with it, and the caller hears no cut.

use std::time::{Duration, Instant};

use super::AgentSession;
use crate::bridge::session_stage::Stage;

/// The agent has ended its turn when none of its audio was written for this long: the provider may stop for a moment
/// between two sentences.
const AGENT_PAUSE: Duration = Duration::from_millis(500);
/// Audio of the agent that arrives so soon after its last words goes on with them.
const AGENT_BREATH: Duration = Duration::from_millis(200);
/// After the caller's last word the provider has this time to say that it was heard. Then it is the agent's turn.
const CALLER_PAUSE: Duration = Duration::from_millis(1_500);

/// Who was last heard, and when.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pause {
    /// The piece that is taken and not written yet has words of the agent, and is not silence.
    takes_words: bool,
    agent_written: Option<Instant>,
    caller_spoke: Option<Instant>,
}

impl Pause {
    /// The next piece that is written has words of the agent.
    pub(super) fn takes_words(&mut self) {
        self.takes_words = true;
    }

    /// A piece was written into the leg.
    pub(super) fn written(&mut self, at: Instant) {
        if std::mem::take(&mut self.takes_words) {
            self.agent_written = Some(at);
        }
    }

    /// The caller's speech arrived.
    pub(super) fn caller_spoke(&mut self, at: Instant) {
        self.caller_spoke = Some(at);
    }

    /// Whether a word of the agent was written a moment ago.
    pub(super) fn agent_is_heard(&self, now: Instant) -> bool {
        self.agent_written.is_some_and(|at| now.saturating_duration_since(at) < AGENT_BREATH)
    }

    fn has_begun(&self, now: Instant) -> bool {
        let is_past =
            |at: Option<Instant>, pause| at.is_none_or(|at| now.saturating_duration_since(at) >= pause);
        is_past(self.agent_written, AGENT_PAUSE) && is_past(self.caller_spoke, CALLER_PAUSE)
    }
}

impl AgentSession {
    /// Whether caller or agent is in the middle of something, or the agent owes an answer.
    pub(crate) fn is_in_turn(&self, now: Instant) -> bool {
        match self.stage {
            Stage::Opening | Stage::Ready | Stage::OnHold | Stage::Closed => false,
            // The agent says goodbye.
            Stage::Leaving { .. } => true,
            Stage::Connected => {
                !self.audio.is_empty()
                    || self.expect_after_audio
                    || self.turn.agent_must_speak()
                    || !self.pause.has_begun(now)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail")]

    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use precall_providers::elevenlabs::AgentUrl;
    use url::Url;

    use super::*;
    use crate::bridge::agent_order::{AgentOrder, GreetingUse};
    use crate::bridge::socket_state::SocketEnd;
    use crate::bridge::turn_taking::FirstSpeaker;
    use crate::playlist::Mark;

    /// 20 ms of 8 kHz PCM.
    const PIECE: usize = 320;
    const LONG: Duration = Duration::from_secs(60);

    /// A session whose agent waits for the caller.
    fn connected(now: Instant) -> AgentSession {
        let url = Url::parse("wss://api.elevenlabs.io/v1/convai/conversation").unwrap();
        let mut session = AgentSession::new(AgentOrder {
            attempt: 1,
            url: AgentUrl::checked(url.clone(), &url, &[]).unwrap(),
            initiation: String::new(),
            context: None,
            unanswered: None,
            own_greeting: GreetingUse::Play,
            begins: (Mark(1), Duration::ZERO),
            first_speaker: FirstSpeaker::Caller,
            fill_after: LONG,
            first_word_within: LONG,
            give_up_after: LONG,
            piece: Duration::from_millis(20),
        });
        let begun = r#"{"type": "conversation_initiation_metadata", "conversation_initiation_metadata_event": {
            "conversation_id": "conv_1",
            "agent_output_audio_format": "pcm_8000", "user_input_audio_format": "pcm_8000"}}"#;
        session.on_message(begun, now);
        assert!(!session.is_in_turn(now), "nothing is said before the two are connected");
        session.connect(now);
        session
    }

    /// The agent says a piece of 20 ms.
    fn says(session: &mut AgentSession, now: Instant) {
        let audio = STANDARD.encode([1; PIECE]);
        let message =
            format!(r#"{{"type": "audio", "audio_event": {{"audio_base_64": "{audio}", "event_id": 1}}}}"#);
        session.on_message(&message, now);
    }

    /// The leg takes what is to be played.
    fn plays(session: &mut AgentSession, now: Instant) {
        assert!(session.next_piece(PIECE).is_some());
        session.was_written(now);
    }

    #[test]
    fn the_agent_is_in_its_turn_until_some_time_after_its_last_word() {
        let now = Instant::now();
        let mut session = connected(now);
        assert!(!session.is_in_turn(now), "both are silent");
        says(&mut session, now);
        assert!(session.is_in_turn(now + LONG), "audio is left to play");
        plays(&mut session, now + LONG);
        let ended = now + LONG;
        // Silence is written as well, and is not a word.
        plays(&mut session, ended + AGENT_PAUSE);
        assert!(session.is_in_turn(ended + AGENT_PAUSE / 2) && !session.is_in_turn(ended + AGENT_PAUSE));
    }

    #[test]
    fn a_caller_who_speaks_is_waited_for_and_the_answer_too() {
        let now = Instant::now();
        let mut session = connected(now);
        let loud: Vec<u8> =
            [8_000_i16, -8_000].repeat(PIECE / 4).iter().flat_map(|sample| sample.to_le_bytes()).collect();
        session.push_caller_audio(&loud, now);
        assert!(session.is_in_turn(now + CALLER_PAUSE / 2) && !session.is_in_turn(now + CALLER_PAUSE));
        let heard =
            r#"{"type": "user_transcript", "user_transcription_event": {"user_transcript": "Hello?"}}"#;
        session.on_message(heard, now);
        assert!(session.is_in_turn(now + LONG), "the agent owes an answer");
        session.tick(now, Duration::ZERO);
        assert!(session.is_in_turn(now + LONG), "also when the wait for it has begun");
        says(&mut session, now);
        plays(&mut session, now);
        assert!(!session.is_in_turn(now + CALLER_PAUSE));
    }

    #[test]
    fn a_goodbye_is_heard_to_its_end() {
        let now = Instant::now();
        let mut session = connected(now);
        says(&mut session, now);
        plays(&mut session, now);
        session.on_closed(SocketEnd::Closed(1_000, String::new()));
        assert!(session.is_in_turn(now + LONG));
    }
}
