//! Performs the effects of `step`: starts the call's other actors, and sends commands to them.

use actix::{Actor, AsyncContext, Context};
use precall_call::{CallPart, Effect, Event, Proof, Purpose, Request};

use super::CallActor;
use crate::call::clone_worker::{CloneWorker, StopWaiting};
use crate::call::conversation_lookup::{ConversationLookup, EarlierDial, LookupQuery};
use crate::call::greeting_actor::{GreetingActor, StopWatching};
use crate::call::handoff::{CancelHandoff, Handoff, HandoffOrder, HandoffParent};
use crate::call::leg_player::{AgentCommand, LegHistory, LegPlayer, PlayAnnouncement, StopPlaying};
use crate::call::messages::{CallEvent, PartParent};
use crate::pbx::leg_commands;
use crate::runtime::fault_injection::Point;
use crate::voices::voice_book::{ForgetRefusal, ReleaseVoice};

/// Where a part of this call reports to.
fn part_parent(ctx: &Context<CallActor>) -> PartParent {
    PartParent { events: ctx.address().recipient(), down: ctx.address().recipient() }
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
            Effect::PlayApology { attempt } => {
                self.play(PlayAnnouncement::Apology { attempt: *attempt }, ctx)
            }
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
                    continues: self.call.continues_conversation(),
                };
                let call = HandoffParent {
                    events: ctx.address().recipient(),
                    ordered: ctx.address().recipient(),
                    down: ctx.address().recipient(),
                };
                let handoff = Handoff::new(order, self.context.clone(), self.services.clone(), call);
                self.handoff = Some(handoff.start());
                self.parts.push(CallPart::Handoff);
            }
            Effect::CancelHandoff { attempt } => {
                if let Some(handoff) = self.handoff.take() {
                    handoff.do_send(CancelHandoff);
                }
                self.send_to_player(AgentCommand::Release { attempt: *attempt });
            }
            Effect::ConnectAgent { attempt } => {
                self.send_to_player(AgentCommand::Connect { attempt: *attempt })
            }
            Effect::ReturnToAgent { attempt, why } => {
                self.send_to_player(AgentCommand::Resume { attempt: *attempt, why: *why });
            }
            Effect::TellAgent { attempt, number } => self.tell_agent(*attempt, *number),
            Effect::AnswerLeg => {
                if let Some(leg) = &self.leg {
                    let events = ctx.address();
                    let wire = self.services.wire.tap(self.context.id);
                    leg_commands::answer(&leg.side, &self.log, wire, &leg.address, move |words| {
                        events.do_send(CallEvent::explained(Event::AnswerRefused, words));
                    });
                }
            }
            Effect::PlayGreeting => self.play(PlayAnnouncement::Greeting, ctx),
            Effect::PlayHold => self.play(PlayAnnouncement::Hold, ctx),
            Effect::StopAudio => {
                if let Some(player) = self.player.take() {
                    player.do_send(StopPlaying);
                }
            }
            Effect::DropLeg => {
                if let Some(leg) = &self.leg {
                    let wire = self.services.wire.tap(self.context.id);
                    leg_commands::drop_leg(&leg.side, &self.log, wire, &leg.address);
                }
            }
            Effect::StopWatchingGreeting => self.stop_watching_greeting(),
            Effect::ReleaseSeat => self.services.agent_seats.release(self.context.id),
            Effect::LookUp(purpose) => self.look_up(*purpose, ctx),
            // `proceed` applies intents itself.
            Effect::Intend(_) => {}
        }
    }

    /// Plays on the open audio stream, or opens a new one.
    fn play(&mut self, play: PlayAnnouncement, ctx: &mut Context<Self>) {
        if let Some(player) = &self.player {
            return player.do_send(play);
        }
        let Some(leg) = self.leg.clone() else { return };
        let before = LegHistory {
            audio: self.call.audio.unwrap_or_default(),
            utterances: self.call.utterances,
            persons_asked: self.call.persons_asked,
        };
        let (context, services) = (self.context.clone(), self.services.clone());
        let player = LegPlayer::new(leg, play, before, context, services, part_parent(ctx));
        self.player = Some(player.start());
        self.parts.push(CallPart::Greeting);
    }

    /// Does nothing without a player: then the leg has no agent, and the call knows it.
    fn send_to_player(&self, order: AgentCommand) {
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

    /// Before the voice is asked for once more: a refused sample is tried again.
    pub(super) fn before_retry(&self, event: &Event) {
        if let (Event::OperatorAsked { request: Request::RetryClone, .. }, Some(key)) =
            (event, self.context.caller_key())
        {
            self.services.voice_book.do_send(ForgetRefusal(key));
        }
    }

    fn ask_for_voice(&mut self, proof: Proof, ctx: &mut Context<Self>) {
        let (context, services) = (self.context.clone(), self.services.clone());
        let worker = CloneWorker::new(context, services, part_parent(ctx), ctx.address().recipient(), proof);
        self.clone_worker = Some(worker.start());
        self.parts.push(CallPart::CloneWorker);
    }

    fn look_up(&mut self, purpose: Purpose, ctx: &mut Context<Self>) {
        let part = match purpose {
            Purpose::Greeting => CallPart::Greeting,
            Purpose::Agent => CallPart::Handoff,
        };
        let query = LookupQuery {
            purpose,
            attempt: self.call.latest_attempt(),
            id: self.call.conversation(purpose).and_then(|c| c.id.clone()),
            known: self.known_conversations(),
            since: self.call.cannot_have_begun_before(purpose),
        };
        ConversationLookup::new(query, self.context.clone(), self.services.clone(), part_parent(ctx)).start();
        self.parts.push(part);
    }

    fn earlier(&self) -> EarlierDial {
        if self.call.may_have_dialled_before() { EarlierDial::Possible } else { EarlierDial::None }
    }

    fn known_conversations(&self) -> Vec<precall_call::ConversationId> {
        self.call.conversations.iter().filter_map(|c| c.id.clone()).collect()
    }
}
