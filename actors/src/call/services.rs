//! What the actors of a call use. The engine has one value, complete from the start.

use std::sync::Arc;
use std::time::Duration;

use actix::Addr;
use deadpool_postgres::Pool;
use precall_call::CallId;
use precall_providers::elevenlabs::{ConversationTrace, Telephony};
use precall_providers::trace_context::TracedPart;
use slog::{Logger, warn};

use crate::call::agent_settings::AgentSettings;
use crate::call::call_context::CallContext;
use crate::call::expected_transfers::SharedTransfers;
use crate::call::live_board::Board;
use crate::call::pin::check::PinChecks;
use crate::call::supervision::Listeners;
use crate::durability::persistence::PersistenceActor;
use crate::durability::persistence_state::PersistenceState;
use crate::limits::agent_seats::{AgentSeats, SEAT_WITHIN};
use crate::limits::budgets::SharedBudgets;
use crate::limits::bypass::Bypass;
use crate::observe::canary_calls::CanaryCalls;
use crate::observe::metrics::Metrics;
use crate::observe::provider_health::ProviderState;
use crate::observe::shared_outcomes::SharedOutcomes;
use crate::observe::traces::Traces;
use crate::observe::wire_log::WireLog;
use crate::pbx::pbx_side::PbxSide;
use crate::runtime::clients::Clients;
use crate::runtime::fault_injection::Faults;
use crate::runtime::per_arbiter::PerArbiter;
use crate::runtime::restart_in_place::VitalActors;
use crate::voices::voice_book::VoiceBook;

/// Why no conversation was opened.
pub(crate) const NO_SEAT: &str = "no agent seat became free in time (AGENT_CONCURRENCY)";
/// Why nothing was dialled or transferred.
pub(crate) const NOT_LEADER: &str = "another precall may be the leader of this database";

/// How a call's conversations are opened.
#[derive(Clone, Copy, Debug)]
pub struct DialSettings {
    /// How ElevenLabs reaches the telephone network.
    pub telephony: Telephony,
    /// Timeout of one dial request, from queueing to the last byte of the answer.
    pub dial_within: Duration,
}

/// Shared by the actors of all calls.
pub struct CallServices {
    /// Writes events to the database.
    pub persistence: Addr<PersistenceActor>,
    /// Whether events can be written now, and whether this process is the leader.
    pub persistence_state: Arc<PersistenceState>,
    /// Whether an actor without which nothing works has ended.
    pub vital: VitalActors,
    /// Database connections for reads.
    pub pool: Pool,
    /// Decides which voice a call gets.
    pub voice_book: Addr<VoiceBook>,
    /// HTTP clients of ElevenLabs.
    pub clients: PerArbiter<Clients>,
    /// Health of ElevenLabs, from its last answers.
    pub provider: Arc<ProviderState>,
    /// The PBX. `None` without 3CX call control.
    pub pbx: Option<Arc<PbxSide>>,
    /// What each agent lets a conversation change.
    pub agent_settings: Arc<AgentSettings>,
    /// Calls that are being transferred to an agent's trunk.
    pub transfers: SharedTransfers,
    /// The run of the canary that is under way, and which calls are the canary's.
    pub canary: Arc<CanaryCalls>,
    /// Usage by callers and by the installation.
    pub budgets: Arc<SharedBudgets>,
    /// Lines whose new calls operators send away.
    pub bypass: Arc<Bypass>,
    /// Seats: limit of concurrent paid conversations.
    pub agent_seats: AgentSeats,
    /// The queue of PIN checks.
    pub pin_checks: PinChecks,
    /// Live calls, for the API.
    pub board: Board,
    /// Who listens to which call.
    pub listeners: Listeners,
    /// Counters and histograms.
    pub metrics: Arc<Metrics>,
    /// What went over the wire, for fault reports.
    pub wire: Arc<WireLog>,
    /// Outcomes of the last minutes, for health.
    pub outcomes: Arc<SharedOutcomes>,
    /// Traces of calls.
    pub traces: Traces,
    /// How conversations are opened.
    pub dial: DialSettings,
    /// Injected panics, for tests.
    pub faults: Faults,
    /// The log.
    pub log: Logger,
}

impl CallServices {
    /// What a conversation that is dialled says about the call's trace; none if the call is not traced.
    #[must_use]
    pub(crate) fn conversation_trace(
        &self,
        call: CallId,
        dial: TracedPart,
        conversation: TracedPart,
    ) -> Option<ConversationTrace> {
        let context = |part| self.traces.context(call, part);
        Some(ConversationTrace { dial: context(dial)?, conversation: context(conversation)? })
    }

    /// Takes a seat for a conversation. False if none became free in time.
    pub async fn take_agent_seat(&self, context: &CallContext) -> bool {
        // The canary takes no seat from callers: it begins only while one is free, and gives way.
        if context.canary {
            return true;
        }
        let call = context.id;
        let within = SEAT_WITHIN.min(self.dial.dial_within / 2);
        let has_seat = self.agent_seats.take(call, within).await;
        if !has_seat {
            self.outcomes.greeting_reason(call, NO_SEAT);
            self.outcomes.handoff_reason(call, NO_SEAT);
            warn!(self.log, "no agent seat is free (AGENT_CONCURRENCY), conversation not opened"; "call" => %call);
        }
        has_seat
    }
}
