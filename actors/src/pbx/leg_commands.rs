//! Orders about a leg that nobody waits for: each is a task with a deadline of its own, and its failure is a line in the log.

use std::sync::Arc;
use std::time::Duration;

use precall_call::CallId;
use precall_providers::threecx::action::{ATTACHED_CALL, ActionOutcome, Destination};
use precall_providers::threecx::address::LegAddress;
use slog::{info, warn};

use crate::call::services::{Shared, clients};
use crate::pbx::pbx_feed::LookAt;

/// A leg that nobody drops goes on costing: so often it is tried.
const DROP_TRIES: u32 = 4;
const DROP_PAUSE: Duration = Duration::from_millis(500);

/// Ends the leg, however often it takes. One that is gone already is fine.
pub fn drop_leg(shared: &Arc<Shared>, leg: &LegAddress) {
    let (shared, leg) = (Arc::clone(shared), leg.clone());
    actix::spawn(async move {
        let Some(clients) = clients() else { return };
        let Some(pbx) = &clients.pbx else { return };
        for pause in 0..DROP_TRIES {
            tokio::time::sleep(DROP_PAUSE * pause).await;
            match pbx.drop_leg(&leg).await {
                ActionOutcome::Done(_) | ActionOutcome::Over => return,
                ActionOutcome::Refused { reason, message } => {
                    warn!(shared.log, "a leg was not dropped"; "leg" => %leg.participant,
                        "reason" => reason.name(), "error" => message);
                }
                ActionOutcome::Unknown { message } => {
                    warn!(shared.log, "nobody said whether a leg was dropped"; "leg" => %leg.participant,
                        "error" => message);
                }
            }
        }
    });
}

/// Answers a ringing leg. Whether it worked is seen when the leg is connected.
pub fn answer(shared: &Arc<Shared>, leg: &LegAddress) {
    let (shared, leg) = (Arc::clone(shared), leg.clone());
    actix::spawn(async move {
        let Some(clients) = clients() else { return };
        let Some(pbx) = &clients.pbx else { return };
        match pbx.answer(&leg).await {
            ActionOutcome::Done(_) | ActionOutcome::Over => {}
            // A route point that answers by itself says that there is nothing to answer.
            ActionOutcome::Refused { reason, message } => {
                info!(shared.log, "a ringing leg was not answered by us"; "leg" => %leg.participant,
                    "reason" => reason.name(), "error" => message);
            }
            ActionOutcome::Unknown { message } => {
                warn!(shared.log, "nobody said whether a leg was answered"; "leg" => %leg.participant,
                    "error" => message);
            }
        }
    });
}

/// Sends a leg for which there is no room to a person, or ends it.
pub fn turn_away(shared: &Arc<Shared>, leg: &LegAddress, destination: Option<Destination>) {
    let (shared, leg) = (Arc::clone(shared), leg.clone());
    actix::spawn(async move {
        let Some(clients) = clients() else { return };
        let Some(pbx) = &clients.pbx else { return };
        let Some(destination) = destination else { return drop_leg(&shared, &leg) };
        match pbx.route_to(&leg, &destination).await {
            ActionOutcome::Done(_) | ActionOutcome::Over | ActionOutcome::Unknown { .. } => {}
            ActionOutcome::Refused { reason, message } => {
                warn!(shared.log, "a leg could not be turned away to a person"; "leg" => %leg.participant,
                    "reason" => reason.name(), "error" => message);
                drop_leg(&shared, &leg);
            }
        }
    });
}

/// Our id on the leg, for scripts and people at the PBX; where it is not permitted, nothing is lost.
pub fn attach_call_id(shared: &Arc<Shared>, leg: &LegAddress, call: CallId) {
    let (shared, leg) = (Arc::clone(shared), leg.clone());
    actix::spawn(async move {
        let Some(clients) = clients() else { return };
        let Some(pbx) = &clients.pbx else { return };
        let data = [(ATTACHED_CALL.to_owned(), call.to_string())];
        if let ActionOutcome::Refused { reason, .. } = pbx.attach_participant_data(&leg, &data).await {
            info!(shared.log, "the call's id was not attached to its leg"; "call" => %call,
                "reason" => reason.name());
        }
    });
}

/// Asks the PBX whether the leg is still there; the feed tells if it is not.
pub fn look(shared: &Arc<Shared>, leg: &LegAddress) {
    if let Some(look) = shared.pbx.as_ref().and_then(|pbx| pbx.look.get()) {
        look.do_send(LookAt { leg: leg.clone() });
    }
}
