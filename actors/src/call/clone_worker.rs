//! Waits for the voice of one call. It owns the wait, not the clone job: when the call ends, the job continues.

use std::sync::Arc;

use actix::{Actor, ActorContext, AsyncContext, Context, Handler, Message, Recipient};
use precall_base::clock;
use precall_call::{At, CallPart, Event, NoVoice, Proof};

use crate::call::call_context::CallContext;
use crate::call::messages::{CallEvent, PartDown, PartParent};
use crate::call::projection::Payload;
use crate::call::services::CallServices;
use crate::runtime::down_notice::DownNotice;
use crate::runtime::fault_injection::Point;
use crate::runtime::mailbox_age::AreYouThere;
use crate::voices::terms::{VoiceOutcome, VoiceRequest};
use crate::voices::voice_book::{CancelRequest, CloneMoved, RequestVoice, VoiceAnswer};

/// Stops the wait.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct StopWaiting;

/// Waits for the voice of one call and reports one outcome.
pub struct CloneWorker {
    context: Arc<CallContext>,
    services: Arc<CallServices>,
    call: PartParent,
    progress: Recipient<CloneMoved>,
    proof: Proof,
    asked_at: At,
    _notice: DownNotice<PartDown>,
}

impl CloneWorker {
    /// The wait of one call. `progress` hears how far the clone is. `proof`: how the caller has proved who they are.
    #[must_use]
    pub fn new(
        context: Arc<CallContext>,
        services: Arc<CallServices>,
        call: PartParent,
        progress: Recipient<CloneMoved>,
        proof: Proof,
    ) -> Self {
        let notice =
            DownNotice::new(call.down.clone(), |panicked| PartDown { part: CallPart::CloneWorker, panicked });
        Self { context, services, call, progress, proof, asked_at: clock::now(), _notice: notice }
    }
}

impl Actor for CloneWorker {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        self.services.faults.pass(Point::WorkerStarts, self.context.id);
        // A caller without a number has no voice, and no voice is cloned for the canary.
        let Some(key) = self.context.caller_key().filter(|_| !self.context.canary) else {
            ctx.notify(VoiceAnswer { outcome: VoiceOutcome::Missing(NoVoice::NoMapping), failed: None });
            return;
        };
        let line = &self.context.line;
        let request = VoiceRequest {
            call: self.context.id,
            policy: line.voice_policy,
            proof: self.proof,
            due: self.asked_at.plus(line.rules.clone_max_wait),
        };
        let (reply, progress) = (ctx.address().recipient(), self.progress.clone());
        self.services.voice_book.do_send(RequestVoice { request, key, reply, progress });
    }

    fn stopped(&mut self, _: &mut Context<Self>) {
        self.services.voice_book.do_send(CancelRequest { call: self.context.id });
    }
}

impl Handler<AreYouThere> for CloneWorker {
    type Result = ();

    fn handle(&mut self, _: AreYouThere, _: &mut Context<Self>) {}
}

impl Handler<VoiceAnswer> for CloneWorker {
    type Result = ();

    fn handle(&mut self, VoiceAnswer { outcome, failed }: VoiceAnswer, ctx: &mut Context<Self>) {
        self.services.faults.pass(Point::WorkerAnswered, self.context.id);
        let event = match outcome {
            VoiceOutcome::Ready { voice, job, source } => {
                let took = clock::now().since(self.asked_at);
                Event::VoiceReady { voice, job, source, took }
            }
            VoiceOutcome::Missing(why) => {
                Event::VoiceMissing { why, job: failed.as_ref().map(|failed| failed.job) }
            }
            VoiceOutcome::NeedsProof(way) => Event::ProofAsked { way },
        };
        let payload = failed.map_or(Payload::None, |failed| Payload::Detail(failed.words));
        self.call.events.do_send(CallEvent { payload, ..CallEvent::part(event) });
        ctx.stop();
    }
}

impl Handler<StopWaiting> for CloneWorker {
    type Result = ();

    fn handle(&mut self, _: StopWaiting, ctx: &mut Context<Self>) {
        ctx.stop();
    }
}
