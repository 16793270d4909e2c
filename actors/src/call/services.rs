//! What the actors of a call use. One value for the engine, whole from the start.

use std::sync::Arc;
use std::time::Duration;

use actix::Addr;
use deadpool_postgres::Pool;
use precall_call::CallId;
use precall_providers::elevenlabs::Telephony;
use slog::{Logger, warn};

use crate::call::expected_transfers::SharedTransfers;
use crate::call::live_board::Board;
use crate::call::pin::check::PinChecks;
use crate::durability::persistence::PersistenceActor;
use crate::durability::persistence_state::PersistenceState;
use crate::limits::agent_seats::{AgentSeats, SEAT_WITHIN};
use crate::limits::budgets::SharedBudgets;
use crate::observe::metrics::Metrics;
use crate::observe::provider_health::ProviderState;
use crate::pbx::pbx_side::PbxSide;
use crate::runtime::clients::Clients;
use crate::runtime::fault_injection::Faults;
use crate::runtime::per_arbiter::PerArbiter;
use crate::voices::voice_book::VoiceBook;

/// How a call's conversations are opened.
#[derive(Clone, Copy, Debug)]
pub struct DialSettings {
    /// How the provider reaches the telephone network.
    pub telephony: Telephony,
    /// One dial, from queueing to the last byte of the answer.
    pub dial_within: Duration,
}

/// Shared by the actors of all calls.
pub struct CallServices {
    /// Writes events.
    pub persistence: Addr<PersistenceActor>,
    /// What can be written now, and whether this process acts.
    pub persistence_state: Arc<PersistenceState>,
    /// For reads.
    pub pool: Pool,
    /// Knows voices.
    pub voice_book: Addr<VoiceBook>,
    /// Requests to the provider.
    pub clients: PerArbiter<Clients>,
    /// How the provider's last answers were.
    pub provider: Arc<ProviderState>,
    /// The PBX; none without 3CX call control.
    pub pbx: Option<Arc<PbxSide>>,
    /// Calls on their way to an agent's trunk.
    pub transfers: SharedTransfers,
    /// What callers and the installation have used.
    pub budgets: Arc<SharedBudgets>,
    /// Conversations with agents at once.
    pub agent_seats: AgentSeats,
    /// The queue of PIN checks.
    pub pin_checks: PinChecks,
    /// Live calls, for people.
    pub board: Board,
    /// Counters and histograms.
    pub metrics: Arc<Metrics>,
    /// Settings.
    pub dial: DialSettings,
    /// Panics on demand, for tests.
    pub faults: Faults,
    /// Where lines go.
    pub log: Logger,
}

impl CallServices {
    /// Takes a seat for a conversation that is about to be opened. False when none became free in time.
    pub async fn take_agent_seat(&self, call: CallId) -> bool {
        let within = SEAT_WITHIN.min(self.dial.dial_within / 2);
        let has_seat = self.agent_seats.take(call, within).await;
        if !has_seat {
            warn!(self.log, "no agent seat is free (AGENT_CONCURRENCY), no conversation is opened"; "call" => %call);
        }
        has_seat
    }
}
