//! Route `callback`: a caller rings again while precall calls them back. Their telephone is in use, or will be in a
//! moment, so a second dial would find it busy.

use std::time::Duration;

use actix::{AsyncContext, Context};
use precall_base::phone_number::CallerNumber;
use precall_call::{Admission, CallId, Cause, ConversationId, Route};
use precall_providers::elevenlabs::ConversationDetail;
use slog::warn;

use super::{CallSupervisor, EarlierCallBack, HandleIncomingCall};
use crate::call::line::Line;

/// How long ElevenLabs may take to say whether the conversation is over. The PBX waits for the answer.
const ASK_WITHIN: Duration = Duration::from_millis(1_200);
/// State of a call whose agent was dialled; its conversation may be over before its report arrives.
const CONVERSING: &str = "conversing";
/// Statuses of a conversation whose telephone is in use (ElevenLabs facts, section 6).
const IN_USE: [&str; 2] = ["initiated", "in-progress"];

/// An earlier call back of the same number.
pub(super) enum CalledBack {
    /// Its telephone rings, is in use, or is about to be dialled.
    Ringing(CallId),
    /// Its agent was dialled. Only ElevenLabs knows whether they still talk.
    Talking(Talking),
}

/// A call back whose agent was dialled.
pub(super) struct Talking {
    call: CallId,
    conversation: ConversationId,
}

impl CallSupervisor {
    /// The earlier call back that uses this caller's telephone. Only the newest can: it was admitted because those
    /// before it were over.
    pub(super) fn called_back(
        &self,
        caller: &CallerNumber,
        line: &Line,
        earlier: EarlierCallBack,
    ) -> Option<CalledBack> {
        if line.rules.route != Route::Callback {
            return None;
        }
        let (call, newest) = self.registry.live_calls_of(caller).find_map(|call| self.call_back(call))?;
        match earlier {
            EarlierCallBack::Over(asked) if asked == call => None,
            EarlierCallBack::InUse(asked) if asked == call => Some(CalledBack::Ringing(call)),
            EarlierCallBack::Over(_) | EarlierCallBack::InUse(_) | EarlierCallBack::NotAsked => Some(newest),
        }
    }

    /// What a live call does with the telephone, if it is a call back.
    fn call_back(&self, call: CallId) -> Option<(CallId, CalledBack)> {
        // The route of a call that is only starting is not known yet. A second dial at this moment would find the line
        // busy.
        if self.services.board.is_starting(call) {
            return Some((call, CalledBack::Ringing(call)));
        }
        let live = self.services.board.find(call).filter(|live| live.route == Route::Callback)?;
        let called_back = match live.conversation.filter(|_| live.state == CONVERSING) {
            Some(conversation) => CalledBack::Talking(Talking { call, conversation }),
            None => CalledBack::Ringing(call),
        };
        Some((call, called_back))
    }

    /// Asks ElevenLabs whether the conversation is over, and handles the webhook again. Without an answer the telephone
    /// counts as in use.
    pub(super) fn ask_whether_over(
        &self,
        talking: Talking,
        message: HandleIncomingCall,
        ctx: &mut Context<Self>,
    ) {
        let (services, supervisor) = (self.services.clone(), ctx.address());
        actix::spawn(async move {
            let clients = services.clients.here();
            let asked = clients.bulk.conversation(&talking.conversation, ASK_WITHIN).await;
            services.provider.note(&asked);
            let is_over = match asked {
                Ok(ConversationDetail::Reported(_)) => true,
                Ok(ConversationDetail::NotYet { status }) => !IN_USE.contains(&status.as_str()),
                Err(_) => false,
            };
            let earlier = if is_over {
                EarlierCallBack::Over(talking.call)
            } else {
                EarlierCallBack::InUse(talking.call)
            };
            supervisor.do_send(HandleIncomingCall { earlier, ..message });
        });
    }

    /// Refuses a call whose telephone is in use by an earlier one.
    pub(super) fn refuse_busy(&self, call: CallId, caller: &CallerNumber, earlier: CallId) -> Admission {
        warn!(self.services.log, "not called back, because an earlier call uses the caller's telephone";
            "call" => %call, "caller" => %caller, "earlier_call" => %earlier);
        Admission::Refused(Cause::Busy)
    }
}
