//! Commands to a leg, each a task with its own deadline. Callers do not wait; a failure is logged.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use precall_call::CallId;
use precall_providers::threecx::action::{ATTACHED_CALL, ActionOutcome, Destination};
use precall_providers::threecx::address::LegAddress;
use precall_providers::threecx::client::ThreeCx;
use precall_providers::wire_record::{Tap, tapped};
use slog::{Logger, info, warn};

use crate::pbx::leg_events::LookAt;
use crate::pbx::pbx_side::PbxSide;

/// Attempts to drop a leg: a leg that stays connected costs money.
const DROP_TRIES: u32 = 4;
const DROP_PAUSE: Duration = Duration::from_millis(500);

/// Drops the leg and retries a failure. A leg that is gone already is fine.
pub fn drop_leg(side: &Arc<PbxSide>, log: &Logger, wire: Arc<dyn Tap>, leg: &LegAddress) {
    actix::spawn(tapped(wire, dropping(side.client.here(), log.clone(), leg.clone())));
}

async fn dropping(pbx: Rc<ThreeCx>, log: Logger, leg: LegAddress) {
    for pause in 0..DROP_TRIES {
        tokio::time::sleep(DROP_PAUSE * pause).await;
        match pbx.drop_leg(&leg).await {
            ActionOutcome::Done(_) | ActionOutcome::Over => return,
            ActionOutcome::Refused { reason, message } => {
                warn!(log, "3CX refused to drop a leg"; "leg" => %leg.participant,
                    "reason" => reason.name(), "error" => message);
            }
            ActionOutcome::Unknown { message } => {
                warn!(log, "3CX did not say whether it dropped a leg"; "leg" => %leg.participant,
                    "error" => message);
            }
        }
    }
}

/// A leg that was not answered may connect by itself within this time: most route points answer on their own.
const ANSWERS_ITSELF_WITHIN: Duration = Duration::from_millis(1_500);

/// Answers a ringing leg. The leg's own event says whether it worked. If 3CX refuses, `refused` is called with its
/// words after a while: the leg may connect by itself.
pub fn answer(
    side: &Arc<PbxSide>,
    log: &Logger,
    wire: Arc<dyn Tap>,
    leg: &LegAddress,
    refused: impl FnOnce(String) + 'static,
) {
    let (side, log, leg) = (Arc::clone(side), log.clone(), leg.clone());
    actix::spawn(tapped(wire, async move {
        match side.client.here().answer(&leg).await {
            ActionOutcome::Done(_) | ActionOutcome::Over => {}
            ActionOutcome::Refused { reason, message } => {
                info!(log, "3CX refused to answer a ringing leg"; "leg" => %leg.participant,
                    "reason" => reason.name(), "error" => &message);
                tokio::time::sleep(ANSWERS_ITSELF_WITHIN).await;
                refused(format!("{}: {message}", reason.name()));
            }
            ActionOutcome::Unknown { message } => {
                warn!(log, "3CX did not say whether it answered a leg"; "leg" => %leg.participant,
                    "error" => message);
            }
        }
    }));
}

/// Routes a leg that precall does not take to the fallback destination, or drops it.
pub(crate) fn turn_away(
    side: &Arc<PbxSide>,
    log: &Logger,
    leg: &LegAddress,
    destination: Option<Destination>,
) {
    turn_away_with(side.client.here(), log, leg, destination);
}

/// The same where no feed runs.
pub(crate) fn turn_away_with(
    pbx: Rc<ThreeCx>,
    log: &Logger,
    leg: &LegAddress,
    destination: Option<Destination>,
) {
    let (log, leg) = (log.clone(), leg.clone());
    actix::spawn(async move {
        let Some(destination) = destination else { return dropping(pbx, log, leg).await };
        match pbx.route_to(&leg, &destination).await {
            ActionOutcome::Done(_) | ActionOutcome::Over | ActionOutcome::Unknown { .. } => {}
            ActionOutcome::Refused { reason, message } => {
                warn!(log, "3CX refused to route a leg to the fallback destination"; "leg" => %leg.participant,
                    "reason" => reason.name(), "error" => message);
                dropping(pbx, log, leg).await;
            }
        }
    });
}

/// Attaches our call id to the leg, for scripts and people at the PBX. Nothing depends on it.
pub(crate) fn attach_call_id(
    side: &Arc<PbxSide>,
    log: &Logger,
    wire: Arc<dyn Tap>,
    leg: &LegAddress,
    call: CallId,
) {
    let (side, log, leg) = (Arc::clone(side), log.clone(), leg.clone());
    actix::spawn(tapped(wire, async move {
        let data = [(ATTACHED_CALL.to_owned(), call.to_string())];
        let outcome = side.client.here().attach_participant_data(&leg, &data).await;
        if let ActionOutcome::Refused { reason, .. } = outcome {
            info!(log, "3CX refused to attach the call id to a leg"; "call" => %call,
                "reason" => reason.name());
        }
    }));
}

/// Asks the PBX whether the leg is still there. The feed reports it if it is not.
pub fn look(side: &PbxSide, leg: &LegAddress) {
    side.look.do_send(LookAt { leg: leg.clone() });
}
