//! Commands to a leg, each a task with its own deadline. Callers do not wait; a failure is logged.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use precall_base::backoff::Backoff;
use precall_base::clock;
use precall_call::CallId;
use precall_providers::threecx::action::{ATTACHED_CALL, ActionOutcome, Destination};
use precall_providers::threecx::address::LegAddress;
use precall_providers::threecx::client::ThreeCx;
use precall_providers::wire_record::{Tap, tapped};
use slog::{Logger, error, info, warn};

use crate::pbx::leg_events::LookAt;
use crate::pbx::pbx_side::PbxSide;

/// Attempts to rid the PBX of a leg where no feed says whether it is still there, and how many failures are logged.
const LEAVE_TRIES: u32 = 4;
/// The caller hears nothing until the order is carried out.
const PAUSE: Duration = Duration::from_millis(250);
const PAUSE_MAX: Duration = Duration::from_secs(1);
/// A PBX that is away for longer has dropped its calls by itself.
const LEAVE_WITHIN: Duration = Duration::from_secs(600);
/// Attempts to answer a ringing leg: about five seconds. The caller hears ringing meanwhile.
const ANSWER_TRIES: u32 = 8;
/// A leg that was not answered may connect by itself within this time: most route points answer on their own.
const ANSWERS_ITSELF_WITHIN: Duration = Duration::from_millis(1_500);

/// Drops the leg, and tries again until the PBX has done so or the leg is gone.
pub fn drop_leg(side: &Arc<PbxSide>, log: &Logger, wire: Arc<dyn Tap>, leg: &LegAddress) {
    let (side, log, leg) = (Arc::clone(side), log.clone(), leg.clone());
    actix::spawn(tapped(wire, leaving_followed(side, log, leg, None)));
}

/// Routes a leg that precall does not take to the fallback destination, or drops it. Tries again until the PBX has done
/// so or the leg is gone.
pub(crate) fn turn_away(
    side: &Arc<PbxSide>,
    log: &Logger,
    leg: &LegAddress,
    destination: Option<Destination>,
) {
    let (side, log, leg) = (Arc::clone(side), log.clone(), leg.clone());
    actix::spawn(leaving_followed(side, log, leg, destination));
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
        leaving(&pbx, &log, &leg, destination, |failures| failures < LEAVE_TRIES).await;
    });
}

async fn leaving_followed(
    side: Arc<PbxSide>,
    log: Logger,
    leg: LegAddress,
    destination: Option<Destination>,
) {
    if !side.leaving.begin(&leg) {
        return;
    }
    let pbx = side.client.here();
    leaving(&pbx, &log, &leg, destination, |_| side.leaving.has(&leg)).await;
    side.leaving.over(&leg);
}

/// Routes the leg to the destination; drops it if there is none, or if the PBX refuses to route it. An order that may
/// not have reached the PBX is given again: carried out twice it does nothing, because the leg is no longer ours.
/// `goes_on` is asked after each failure, with their number.
async fn leaving(
    pbx: &ThreeCx,
    log: &Logger,
    leg: &LegAddress,
    mut destination: Option<Destination>,
    goes_on: impl Fn(u32) -> bool,
) {
    let give_up_at = clock::now().plus(LEAVE_WITHIN);
    let mut pauses = Backoff::new(PAUSE, PAUSE_MAX);
    let mut failures = 0_u32;
    loop {
        let (order, outcome) = match &destination {
            Some(destination) => ("route", pbx.route_to(leg, destination).await),
            None => ("drop", pbx.drop_leg(leg).await),
        };
        let (reason, message) = match outcome {
            ActionOutcome::Done(_) | ActionOutcome::Over => return,
            ActionOutcome::Refused { reason, message } => (Some(reason.name()), message),
            ActionOutcome::Unknown { message } => (None, message),
        };
        if let Some(reason) = reason.filter(|_| destination.take().is_some()) {
            warn!(log, "3CX refused to route a leg to the fallback destination"; "leg" => %leg.participant,
                "reason" => reason, "error" => message);
            continue;
        }
        failures = failures.saturating_add(1);
        match reason {
            _ if failures > LEAVE_TRIES => {}
            Some(reason) => warn!(log, "3CX refused to drop a leg"; "leg" => %leg.participant,
                "reason" => reason, "error" => message),
            None => warn!(log, "3CX did not say whether it carried out an order to a leg";
                "leg" => %leg.participant, "order" => order, "error" => message),
        }
        tokio::time::sleep(pauses.wait()).await;
        if !goes_on(failures) {
            return;
        }
        if clock::now() >= give_up_at {
            error!(log, "a leg could not be dropped"; "leg" => %leg.participant, "tries" => failures);
            return;
        }
    }
}

/// Answers a ringing leg. The leg's own event says whether it worked. If 3CX refuses, `refused` is called with its
/// words after a while: the leg may connect by itself. If 3CX does not say whether it has answered, it is asked again.
pub fn answer(
    side: &Arc<PbxSide>,
    log: &Logger,
    wire: Arc<dyn Tap>,
    leg: &LegAddress,
    refused: impl FnOnce(String) + 'static,
) {
    let (side, log, leg) = (Arc::clone(side), log.clone(), leg.clone());
    actix::spawn(tapped(wire, async move {
        let mut pauses = Backoff::new(PAUSE, PAUSE_MAX);
        for _ in 0..ANSWER_TRIES {
            match side.client.here().answer(&leg).await {
                ActionOutcome::Done(_) | ActionOutcome::Over => return,
                ActionOutcome::Refused { reason, message } => {
                    info!(log, "3CX refused to answer a ringing leg"; "leg" => %leg.participant,
                        "reason" => reason.name(), "error" => &message);
                    tokio::time::sleep(ANSWERS_ITSELF_WITHIN).await;
                    return refused(format!("{}: {message}", reason.name()));
                }
                ActionOutcome::Unknown { message } => {
                    warn!(log, "3CX did not say whether it answered a leg"; "leg" => %leg.participant,
                        "error" => message);
                }
            }
            tokio::time::sleep(pauses.wait()).await;
        }
    }));
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
    side.look.do_send(LookAt { leg: leg.clone(), is_unknown: false });
}

/// Asks the PBX whether the leg is still there. The feed reports it as a new one if it is.
pub(crate) fn show_again(side: &PbxSide, leg: &LegAddress) {
    side.look.do_send(LookAt { leg: leg.clone(), is_unknown: true });
}
