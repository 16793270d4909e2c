//! What the live board shows of the call.

use actix::{Context, Handler};
use precall_call::{Call, Event, Phase};

use super::CallActor;
use crate::call::live_board::{CloneProgress, ShownCall};
use crate::call::projection::Payload;
use crate::observe::call_outcomes::failure_in;
use crate::voices::voice_book::CloneMoved;

impl CallActor {
    /// Shows the call as it is now. The board of callers has no calls of the canary.
    pub(super) fn update_board(&self) {
        if self.context.canary {
            return;
        }
        let mut actors = Vec::with_capacity(self.parts.len().saturating_add(1));
        actors.push("call");
        actors.extend(self.parts.iter().map(|part| part.name()));
        let (id, call, notes) = (self.context.id, &self.call, &self.notes);
        self.services.board.show(ShownCall { id, call, notes, actors });
    }

    /// Notes an event for the board. A failure counts until the caller is with an agent.
    pub(super) fn note(&mut self, event: &Event, payload: &Payload, next: &Call) {
        self.notes.last_event = Some(precall_store::events::event_json::kind(event));
        let detail = if let Payload::Detail(words) = payload { Some(words.as_str()) } else { None };
        if let Some(words) = failure_in(event, detail, next) {
            self.notes.failure = Some(words);
        } else if matches!(next.phase, Phase::Conversing(_)) {
            self.notes.failure = None;
        }
    }
}

impl Handler<CloneMoved> for CallActor {
    type Result = ();

    fn handle(&mut self, CloneMoved { stage, at }: CloneMoved, _: &mut Context<Self>) {
        // The call may have stopped waiting while the message was on its way.
        if !self.call.awaits_voice {
            return;
        }
        let known = self.notes.clone;
        if known.is_some_and(|known| known.stage == stage) {
            return;
        }
        let asked_at = known.map_or(at, |known| known.asked_at);
        let until = self.call.deadlines.voice.or_else(|| known.and_then(|known| known.until));
        self.notes.clone = Some(CloneProgress { stage, since: at, asked_at, until });
        self.update_board();
    }
}
