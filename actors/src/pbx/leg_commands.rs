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

/// Attempts to drop a leg where no feed says whether it is still there, and how many failures are logged.
const DROP_TRIES: u32 = 4;
/// The caller hears nothing until the leg is dropped.
const DROP_PAUSE: Duration = Duration::from_millis(250);
const DROP_PAUSE_MAX: Duration = Duration::from_secs(1);
/// A PBX that is away for longer has dropped its calls by itself.
const DROP_WITHIN: Duration = Duration::from_secs(600);

/// Drops the leg, and tries again until the PBX has done so or the leg is gone.
pub fn drop_leg(side: &Arc<PbxSide>, log: &Logger, wire: Arc<dyn Tap>, leg: &LegAddress) {
    actix::spawn(tapped(wire, dropping_followed(Arc::clone(side), log.clone(), leg.clone())));
}

async fn dropping_followed(side: Arc<PbxSide>, log: Logger, leg: LegAddress) {
    if !side.dropping.begin(&leg) {
        return;
    }
    let pbx = side.client.here();
    dropping(pbx, log, leg.clone(), |_| side.dropping.has(&leg)).await;
    side.dropping.over(&leg);
}

/// `goes_on` is asked after each failure, with their number.
async fn dropping(pbx: Rc<ThreeCx>, log: Logger, leg: LegAddress, goes_on: impl Fn(u32) -> bool) {
    let give_up_at = clock::now().plus(DROP_WITHIN);
    let mut pauses = Backoff::new(DROP_PAUSE, DROP_PAUSE_MAX);
    let mut failures = 0_u32;
    loop {
        let (reason, message) = match pbx.drop_leg(&leg).await {
            ActionOutcome::Done(_) | ActionOutcome::Over => return,
            ActionOutcome::Refused { reason, message } => (Some(reason.name()), message),
            ActionOutcome::Unknown { message } => (None, message),
        };
        failures = failures.saturating_add(1);
        match reason {
            _ if failures > DROP_TRIES => {}
            Some(reason) => warn!(log, "3CX refused to drop a leg"; "leg" => %leg.participant,
                "reason" => reason, "error" => message),
            None => warn!(log, "3CX did not say whether it dropped a leg"; "leg" => %leg.participant,
                "error" => message),
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
    let (side, log, leg) = (Arc::clone(side), log.clone(), leg.clone());
    actix::spawn(async move {
        if sent_away(&side.client.here(), &log, &leg, destination).await.is_err() {
            dropping_followed(side, log, leg).await;
        }
    });
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
        if sent_away(&pbx, &log, &leg, destination).await.is_err() {
            dropping(pbx, log, leg, |failures| failures < DROP_TRIES).await;
        }
    });
}

/// The leg must be dropped.
struct MustBeDropped;

/// Routes a leg to the destination.
async fn sent_away(
    pbx: &ThreeCx,
    log: &Logger,
    leg: &LegAddress,
    destination: Option<Destination>,
) -> Result<(), MustBeDropped> {
    let destination = destination.ok_or(MustBeDropped)?;
    match pbx.route_to(leg, &destination).await {
        ActionOutcome::Done(_) | ActionOutcome::Over | ActionOutcome::Unknown { .. } => Ok(()),
        ActionOutcome::Refused { reason, message } => {
            warn!(log, "3CX refused to route a leg to the fallback destination"; "leg" => %leg.participant,
                "reason" => reason.name(), "error" => message);
            Err(MustBeDropped)
        }
    }
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
