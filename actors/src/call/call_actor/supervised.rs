//! Live supervision: lets operators listen to the call, and passes on what they tell its agent. `precall-call` decides
//! whether they may.

use std::time::Duration;

use actix::{Context, Handler};
use precall_audio::tap::{TapEnd, tap};
use precall_call::{Event, ListenEnd, NotSupervised, Operator, Telling};
use slog::info;
use tokio::sync::oneshot;

use super::CallActor;
use crate::call::messages::Noted;
use crate::call::projection::Payload;
use crate::call::supervision::{
    ListenToLeg, Listening, Supervise, SupervisionAnswer, SupervisionRefusal, SupervisionView, TellAgent,
    message_to_agent,
};

/// What an operator tells the agent must be durable within this time.
const DURABLE_WITHIN: Duration = Duration::from_millis(2_500);

impl CallActor {
    fn supervision(&self) -> SupervisionView {
        SupervisionView {
            listen: self.call.may_be_listened_to(),
            tell: self.call.agent_to_tell().map(|_| ()),
            listeners: self.services.listeners.of(self.context.id),
        }
    }

    fn listen(&mut self) -> Result<Listening, SupervisionRefusal> {
        self.call.may_be_listened_to().map_err(SupervisionRefusal::NotNow)?;
        let player = self.player.as_ref().ok_or(SupervisionRefusal::NotNow(NotSupervised::NotBridged))?;
        let seat =
            self.services.listeners.take(self.context.id).ok_or(SupervisionRefusal::TooManyListeners)?;
        let (writer, reader, control) = tap();
        player.do_send(ListenToLeg(writer));
        self.taps.push(control);
        Ok(Listening::new(reader, seat))
    }

    fn tell(
        &mut self,
        what: Telling,
        text: String,
        by: Operator,
        answer: SupervisionAnswer<()>,
        ctx: &mut Context<Self>,
    ) {
        if let Err(why) = self.call.agent_to_tell() {
            let _ = answer.send(Err(SupervisionRefusal::NotNow(why)));
            return;
        }
        let number = self.call.told.saturating_add(1);
        self.tellings.push_back((number, message_to_agent(what, &text)));
        info!(self.log, "an operator told the agent something"; "what" => what.name(),
            "key" => by.as_str(), "characters" => text.chars().count());
        self.apply(&Event::AgentTold { number, what, by }, &Payload::Words(text), Vec::new());
        let (done, durable) = oneshot::channel();
        self.acks.push((self.call.version, Noted::Recorded, done));
        self.proceed(ctx);
        self.acknowledge();
        actix::spawn(async move {
            let written = tokio::time::timeout(DURABLE_WITHIN, durable).await;
            let is_durable = matches!(written, Ok(Ok(_)));
            let _ = answer.send(if is_durable { Ok(()) } else { Err(SupervisionRefusal::NotInTime) });
        });
    }

    /// Sends the agent the text with this number.
    pub(super) fn tell_agent(&mut self, attempt: u8, number: u16) {
        while let Some((next, message)) = self.tellings.pop_front() {
            if let (true, Some(player)) = (next == number, &self.player) {
                player.do_send(TellAgent { attempt, message });
                return;
            }
        }
    }

    /// Ends listening when the call no longer allows it. Taps whose listener is gone are forgotten.
    pub(super) fn end_listening(&mut self) {
        if self.taps.is_empty() {
            return;
        }
        let Some(end) = self.call.listening_ended() else {
            return self.taps.retain(|tap| !tap.is_abandoned());
        };
        let end = match end {
            ListenEnd::CallEnded => TapEnd::CallEnded,
            ListenEnd::HandedOver => TapEnd::HandedOver,
        };
        for tap in self.taps.drain(..) {
            tap.end(end);
        }
    }
}

impl Handler<Supervise> for CallActor {
    type Result = ();

    fn handle(&mut self, asked: Supervise, ctx: &mut Context<Self>) {
        match asked {
            Supervise::Look(answer) => {
                let _ = answer.send(Ok(self.supervision()));
            }
            Supervise::Mailboxes(answer) => self.look_at_mailboxes(answer, ctx),
            Supervise::Listen(answer) => {
                let _ = answer.send(self.listen());
            }
            Supervise::Tell { what, text, by, answer } => self.tell(what, text, by, answer, ctx),
        }
    }
}
