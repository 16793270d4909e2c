//! The caller's audio on its way to the agent.

use std::time::Instant;

use precall_providers::elevenlabs::write_audio_chunk;

use super::AgentSession;
use crate::bridge::caller_speech::is_speech;
use crate::bridge::outbox::OutgoingMessage;
use crate::bridge::session_stage::Stage;
use crate::clip::duration_of;

/// Room for the JSON around the base64 of an audio message.
const CHUNK_JSON: usize = 32;

impl AgentSession {
    /// Takes audio of the caller, whole samples. The agent hears it only while it is connected.
    pub fn push_caller_audio(&mut self, pcm: &[u8], now: Instant) {
        if let (Stage::Connected, Some(codecs)) = (self.stage, &mut self.codecs) {
            codecs.caller.push(pcm);
            if is_speech(pcm) {
                self.timer.caller_spoke(duration_of(pcm.len()), now);
                self.pause.caller_spoke(now);
            }
            if self.caller_speech.as_mut().is_some_and(|speech| speech.push(pcm)) {
                self.caller_speech = None;
                self.expect_after_audio = true;
            }
        }
    }

    /// When the next piece of the caller's audio is due; none in a stage that sends none.
    pub fn piece_due(&self) -> Option<Instant> {
        self.codecs.as_ref().filter(|_| self.sends_pieces()).map(|codecs| codecs.next_piece)
    }

    fn sends_pieces(&self) -> bool {
        match self.stage {
            Stage::Ready | Stage::Connected | Stage::OnHold => true,
            Stage::Opening | Stage::Leaving { .. } | Stage::Closed => false,
        }
    }

    /// Sends a piece of the caller's audio when it is due.
    pub(super) fn send_piece(&mut self, now: Instant) {
        if !self.sends_pieces() {
            return;
        }
        let Some(codecs) = self.codecs.as_mut().filter(|codecs| codecs.next_piece <= now) else { return };
        while codecs.next_piece <= now {
            codecs.next_piece += self.order.piece;
        }
        self.piece.clear();
        codecs.caller.take_due(now, &mut self.piece);
        if codecs.caller.is_empty() {
            self.timer.all_sent(now);
        }
        if self.piece.is_empty() {
            return;
        }
        self.to_agent.clear();
        codecs.to_agent.take(&self.piece, &mut self.to_agent);
        let mut text = String::with_capacity(self.to_agent.len() * 4 / 3 + CHUNK_JSON);
        write_audio_chunk(&self.to_agent, &mut text);
        let span = duration_of(self.piece.len());
        self.outbox.push(OutgoingMessage::Audio(text.into(), span));
    }
}
