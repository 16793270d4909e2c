//! Passes what operators ask of a live call to its actor.

use actix::{Context, Handler, Message};
use precall_call::CallId;

use super::CallSupervisor;
use crate::call::supervision::{Supervise, SupervisionRefusal};

/// Asks a live call something for an operator.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct SuperviseCall {
    /// The call.
    pub(crate) call: CallId,
    /// The question.
    pub(crate) asked: Supervise,
}

impl Handler<SuperviseCall> for CallSupervisor {
    type Result = ();

    fn handle(&mut self, SuperviseCall { call, asked }: SuperviseCall, _: &mut Context<Self>) {
        match self.live.get(&call) {
            Some(live) => live.address.do_send(asked),
            // After a restart the log of a live call is read first.
            None if self.reading.contains_key(&call) && self.registry.is_live(call) => {
                asked.refuse(SupervisionRefusal::NotInTime);
            }
            None => asked.refuse(SupervisionRefusal::NotLive),
        }
    }
}
