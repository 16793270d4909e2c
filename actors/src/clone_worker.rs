//! Waits for one call's voice. It owns the wait, not the job: ending the call ends the wait, the clone goes on.

use std::sync::Arc;

use actix::{Actor, ActorContext, Addr, AsyncContext, Context, Handler, Message};
use precall_call::{At, CallPart, CloneJobId, Event, NoVoice, Proof, ProofWay, VoiceId, VoiceSource};

use crate::call_actor::{CallActor, Happened, PartDown};
use crate::call_context::CallContext;
use crate::clock;
use crate::death_notice::DeathNotice;
use crate::faults::Point;
use crate::shared::Shared;
use crate::voice_book::{Asker, VoiceKey, Want, WantsNoMore};

/// What became of the voice this call waited for.
#[derive(Clone, Debug, PartialEq, Eq, Message)]
#[rtype(result = "()")]
pub enum VoiceOutcome {
    /// It can be used.
    Ready {
        /// The voice.
        voice: VoiceId,
        /// The job that made it.
        job: Option<CloneJobId>,
        /// Where it came from.
        source: VoiceSource,
    },
    /// There will be none.
    Missing(NoVoice),
    /// There may be one for who proves to be the caller.
    NeedsProof(ProofWay),
}

/// The call does not wait any longer.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct StopWaiting;

/// See the file.
pub struct CloneWorker {
    context: Arc<CallContext>,
    shared: Arc<Shared>,
    call: Addr<CallActor>,
    proof: Proof,
    asked_at: At,
    _notice: DeathNotice<CallActor, PartDown>,
}

impl CloneWorker {
    /// For one call, whose caller may have proved who they are.
    #[must_use]
    pub fn new(context: Arc<CallContext>, shared: Arc<Shared>, call: Addr<CallActor>, proof: Proof) -> Self {
        let notice =
            DeathNotice::new(call.clone(), |panicked| PartDown { part: CallPart::CloneWorker, panicked });
        Self { context, shared, call, proof, asked_at: clock::now(), _notice: notice }
    }
}

impl Actor for CloneWorker {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        self.shared.faults.pass(Point::WorkerStarts, self.context.id);
        // A caller without a number is nobody whose voice could be known.
        let Some(caller) = self.context.caller_id() else {
            ctx.notify(VoiceOutcome::Missing(NoVoice::NoMapping));
            return;
        };
        let key = VoiceKey { account: self.context.line.account.clone(), caller: caller.to_owned() };
        let line = &self.context.line;
        let asker = Asker {
            call: self.context.id,
            policy: line.voice_policy,
            proof: self.proof,
            due: self.asked_at.plus(line.rules.clone_max_wait),
        };
        self.shared.voice_book.do_send(Want { asker, key, reply: ctx.address().recipient() });
    }

    fn stopped(&mut self, _: &mut Context<Self>) {
        self.shared.voice_book.do_send(WantsNoMore { call: self.context.id });
    }
}

impl Handler<VoiceOutcome> for CloneWorker {
    type Result = ();

    fn handle(&mut self, outcome: VoiceOutcome, ctx: &mut Context<Self>) {
        self.shared.faults.pass(Point::WorkerAnswered, self.context.id);
        let event = match outcome {
            VoiceOutcome::Ready { voice, job, source } => {
                let took = clock::now().since(self.asked_at);
                Event::VoiceReady { voice, job, source, took }
            }
            VoiceOutcome::Missing(why) => Event::VoiceMissing { why },
            VoiceOutcome::NeedsProof(way) => Event::ProofAsked { way },
        };
        self.call.do_send(Happened::part(event));
        ctx.stop();
    }
}

impl Handler<StopWaiting> for CloneWorker {
    type Result = ();

    fn handle(&mut self, _: StopWaiting, ctx: &mut Context<Self>) {
        ctx.stop();
    }
}
