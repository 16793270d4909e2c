//! Carrying out the machine's orders: each one starts a part of the call or tells one to stop.

use actix::{Actor, AsyncContext, Context};
use precall_call::{Dial, Effect, Job, Proof, Purpose, Rung};

use super::CallActor;
use crate::call::clone_worker::{CloneWorker, StopWaiting};
use crate::call::conversation_lookup::{ConversationLookup, Earlier, Question};
use crate::call::greeting_actor::GreetingActor;
use crate::call::handoff::{Attempt, GiveUp, Handoff, HandoffParent};
use crate::call::leg_player::{Before, GreetingPlayer, Play, StopPlaying, TellAgent};
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
            Effect::StartHandoff { attempt, rung: Rung::Apology, .. } => {
                self.play(Play::Apology { attempt: *attempt }, ctx);
            }
            Effect::StartHandoff { attempt, rung, voice, person } => {
                let attempt = Attempt {
                    number: *attempt,
                    rung: *rung,
                    voice: voice.clone(),
                    person: person.clone(),
                    known: self.known_conversations(),
                    earlier: self.earlier(),
                    leg: self.leg.clone(),
                    has_player: self.player.is_some(),
                    lines: self.call.lines,
                };
                let call = HandoffParent {
                    happened: ctx.address().recipient(),
                    ordered: ctx.address().recipient(),
                    down: ctx.address().recipient(),
                };
                let handoff = Handoff::new(attempt, self.context.clone(), self.services.clone(), call);
                self.handoff = Some(handoff.start());
                self.parts.push(Job::Handoff);
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
            lines: self.call.lines,
            persons_asked: self.call.persons_asked,
        };
        let (context, services) = (self.context.clone(), self.services.clone());
        let player = GreetingPlayer::new(leg, play, before, context, services, part_parent(ctx));
        self.player = Some(player.start());
        self.parts.push(Job::Greeting);
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
        self.parts.push(Job::Greeting);
    }

    fn ask_for_voice(&mut self, proof: Proof, ctx: &mut Context<Self>) {
        let worker = CloneWorker::new(self.context.clone(), self.services.clone(), part_parent(ctx), proof);
        self.clone_worker = Some(worker.start());
        self.parts.push(Job::CloneWorker);
    }

    fn look_up(&mut self, purpose: Purpose, ctx: &mut Context<Self>) {
        let job = match purpose {
            Purpose::Greeting => Job::Greeting,
            Purpose::Agent => Job::Handoff,
        };
        let attempt = u8::try_from(self.call.tried.len()).unwrap_or(u8::MAX);
        let since = match purpose {
            Purpose::Greeting => self.call.instants.offered,
            Purpose::Agent => self.call.instants.handoff_started.unwrap_or(self.call.instants.offered),
        };
        let id = self.call.conversation(purpose).and_then(|c| c.id.clone());
        let question = Question { purpose, attempt, id, known: self.known_conversations(), since };
        ConversationLookup::new(question, self.context.clone(), self.services.clone(), part_parent(ctx))
            .start();
        self.parts.push(job);
    }

    /// A conversation of ours whose id is not known could be taken for the one that is looked for.
    fn earlier(&self) -> Earlier {
        let before = self.call.conversations.iter().rev().skip(1);
        let all_known = before.into_iter().all(|c| c.id.is_some() || c.dial == Dial::Refused);
        if self.call.resumed > 0 && all_known { Earlier::Perhaps } else { Earlier::None }
    }

    fn known_conversations(&self) -> Vec<precall_call::ConversationId> {
        self.call.conversations.iter().filter_map(|c| c.id.clone()).collect()
    }
}
