//! Carrying out the machine's orders: each one starts a part of the call or tells one to stop.

use actix::{Actor, AsyncContext, Context};
use precall_call::{CallPart, Effect, Proof, Purpose};

use super::CallActor;
use crate::call::clone_worker::{CloneWorker, StopWaiting};
use crate::call::conversation_lookup::{ConversationLookup, Earlier, Question};
use crate::call::greeting_actor::{GreetingActor, StopWatching};
use crate::call::handoff::{GiveUp, Handoff, HandoffOrder, HandoffParent};
use crate::call::leg_player::{Before, LegPlayer, Play, StopPlaying, TellAgent};
use crate::call::messages::PartParent;
use crate::pbx::leg_commands;
use crate::runtime::fault_injection::Point;
use crate::voices::voice_book::ReleaseVoice;

/// Where a part of this call reports to.
fn part_parent(ctx: &Context<CallActor>) -> PartParent {
    PartParent { happened: ctx.address().recipient(), down: ctx.address().recipient() }
}

impl CallActor {
    pub(crate) fn perform(&mut self, effect: &Effect, ctx: &mut Context<Self>) {
        self.services.faults.pass(Point::CallInEffects, self.context.id);
        match effect {
            Effect::DialGreeting => self.dial_greeting(ctx),
            Effect::AskForVoice { proof } => self.ask_for_voice(*proof, ctx),
            Effect::StopWaiting => {
                if let Some(worker) = &self.clone_worker {
                    worker.do_send(StopWaiting);
                }
            }
            Effect::LetVoiceGo => self.services.voice_book.do_send(ReleaseVoice(self.context.id)),
            Effect::PlayApology { attempt } => self.play(Play::Apology { attempt: *attempt }, ctx),
            Effect::StartHandoff { attempt, rung, voice, person } => {
                let order = HandoffOrder {
                    number: *attempt,
                    rung: *rung,
                    voice: voice.clone(),
                    person: person.clone(),
                    known: self.known_conversations(),
                    earlier: self.earlier(),
                    leg: self.leg.clone(),
                    has_player: self.player.is_some(),
                    utterances: self.call.utterances,
                };
                let call = HandoffParent {
                    happened: ctx.address().recipient(),
                    ordered: ctx.address().recipient(),
                    down: ctx.address().recipient(),
                };
                let handoff = Handoff::new(order, self.context.clone(), self.services.clone(), call);
                self.handoff = Some(handoff.start());
                self.parts.push(CallPart::Handoff);
            }
            Effect::CancelHandoff { attempt } => {
                if let Some(handoff) = self.handoff.take() {
                    handoff.do_send(GiveUp);
                }
                self.tell_player(TellAgent::LetGo { attempt: *attempt });
            }
            Effect::ConnectAgent { attempt } => self.tell_player(TellAgent::Connect { attempt: *attempt }),
            Effect::ReturnToAgent { attempt, why } => {
                self.tell_player(TellAgent::GoOn { attempt: *attempt, why: *why });
            }
            Effect::AnswerLeg => {
                if let Some(leg) = &self.leg {
                    leg_commands::answer(&leg.side, &self.log, &leg.address);
                }
            }
            Effect::PlayGreeting => self.play(Play::Greeting, ctx),
            Effect::PlayHold => self.play(Play::Hold, ctx),
            Effect::StopAudio => {
                if let Some(player) = self.player.take() {
                    player.do_send(StopPlaying);
                }
            }
            Effect::DropLeg => {
                if let Some(leg) = &self.leg {
                    leg_commands::drop_leg(&leg.side, &self.log, &leg.address);
                }
            }
            Effect::StopWatchingGreeting => self.stop_watching_greeting(),
            Effect::ReleaseSeat => self.services.agent_seats.release(self.context.id),
            Effect::LookUp(purpose) => self.look_up(*purpose, ctx),
            // `proceed` records intents itself.
            Effect::Intend(_) => {}
        }
    }

    /// The stream that is open goes on with it; without one, a new one is opened.
    fn play(&mut self, play: Play, ctx: &mut Context<Self>) {
        if let Some(player) = &self.player {
            return player.do_send(play);
        }
        let Some(leg) = self.leg.clone() else { return };
        let before = Before {
            audio: self.call.audio.unwrap_or_default(),
            utterances: self.call.utterances,
            persons_asked: self.call.persons_asked,
        };
        let (context, services) = (self.context.clone(), self.services.clone());
        let player = LegPlayer::new(leg, play, before, context, services, part_parent(ctx));
        self.player = Some(player.start());
        self.parts.push(CallPart::Greeting);
    }

    /// Without a player there is no agent either, and the call has heard so.
    fn tell_player(&self, order: TellAgent) {
        if let Some(player) = &self.player {
            player.do_send(order);
        }
    }

    fn dial_greeting(&mut self, ctx: &mut Context<Self>) {
        let greeting =
            GreetingActor::new(self.context.clone(), self.services.clone(), part_parent(ctx), self.earlier());
        self.greeting = Some(greeting.start());
        self.parts.push(CallPart::Greeting);
    }

    pub(super) fn stop_watching_greeting(&mut self) {
        if let Some(greeting) = self.greeting.take() {
            greeting.do_send(StopWatching);
        }
    }

    fn ask_for_voice(&mut self, proof: Proof, ctx: &mut Context<Self>) {
        let worker = CloneWorker::new(self.context.clone(), self.services.clone(), part_parent(ctx), proof);
        self.clone_worker = Some(worker.start());
        self.parts.push(CallPart::CloneWorker);
    }

    fn look_up(&mut self, purpose: Purpose, ctx: &mut Context<Self>) {
        let part = match purpose {
            Purpose::Greeting => CallPart::Greeting,
            Purpose::Agent => CallPart::Handoff,
        };
        let question = Question {
            purpose,
            attempt: self.call.latest_attempt(),
            id: self.call.conversation(purpose).and_then(|c| c.id.clone()),
            known: self.known_conversations(),
            since: self.call.cannot_have_begun_before(purpose),
        };
        ConversationLookup::new(question, self.context.clone(), self.services.clone(), part_parent(ctx))
            .start();
        self.parts.push(part);
    }

    fn earlier(&self) -> Earlier {
        if self.call.may_have_dialled_before() { Earlier::Perhaps } else { Earlier::None }
    }

    fn known_conversations(&self) -> Vec<precall_call::ConversationId> {
        self.call.conversations.iter().filter_map(|c| c.id.clone()).collect()
    }
}
