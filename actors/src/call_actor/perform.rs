//! Carrying out the machine's orders: each one starts a part of the call or tells one to stop.

use actix::{Actor, AsyncContext, Context};
use precall_call::{Effect, Job, Purpose};

use super::CallActor;
use crate::clone_worker::{CloneWorker, StopWaiting};
use crate::conversation_lookup::{ConversationLookup, Question};
use crate::faults::Point;
use crate::greeting::GreetingActor;
use crate::handoff::{Attempt, Handoff};

impl CallActor {
    pub(super) fn perform(&mut self, effect: &Effect, ctx: &mut Context<Self>) {
        self.shared.faults.pass(Point::CallInEffects, self.context.id);
        match effect {
            Effect::DialGreeting => self.dial_greeting(ctx),
            Effect::AskForVoice => self.ask_for_voice(ctx),
            Effect::StopWaiting => {
                if let Some(worker) = &self.clone_worker {
                    worker.do_send(StopWaiting);
                }
            }
            Effect::StartHandoff { attempt, rung, voice } => {
                let known = self.known_conversations();
                let attempt = Attempt { number: *attempt, rung: *rung, voice: voice.clone(), known };
                Handoff::new(attempt, self.context.clone(), self.shared.clone(), ctx.address()).start();
                self.parts.push(Job::Handoff);
            }
            Effect::LookUp(purpose) => self.look_up(*purpose, ctx),
            // Audio and legs exist on the live-leg routes, which no policy of this engine chooses yet; an intent never
            // comes here. The machine's deadlines answer for all of them.
            Effect::Intend(_)
            | Effect::AnswerLeg
            | Effect::PlayGreeting
            | Effect::PlayHold
            | Effect::StopAudio
            | Effect::DropLeg
            | Effect::CancelHandoff => {}
        }
    }

    fn dial_greeting(&mut self, ctx: &mut Context<Self>) {
        let greeting = GreetingActor::new(self.context.clone(), self.shared.clone(), ctx.address());
        self.greeting = Some(greeting.start());
        self.parts.push(Job::Greeting);
    }

    fn ask_for_voice(&mut self, ctx: &mut Context<Self>) {
        let worker = CloneWorker::new(self.context.clone(), self.shared.clone(), ctx.address());
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
        ConversationLookup::new(question, self.context.clone(), self.shared.clone(), ctx.address()).start();
        self.parts.push(job);
    }

    fn known_conversations(&self) -> Vec<precall_call::ConversationId> {
        self.call.conversations.iter().filter_map(|c| c.id.clone()).collect()
    }
}
