//! What every call's actors share: addresses, settings, and the clients of the arbiter they live on.

use std::cell::OnceCell;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use actix::{Addr, Recipient};
use deadpool_postgres::Pool;
use precall_audio::Media;
use precall_call::{At, CallId};
use precall_providers::elevenlabs::{ElevenLabs, Settings as ProviderSettings, Telephony};
use precall_providers::threecx::access_token::AccessTokens;
use precall_providers::threecx::client::ThreeCx;
use precall_providers::threecx::settings::Settings as PbxSettings;
use slog::{Logger, warn};
use tokio::sync::Notify;

use crate::call::expected_transfers::{Asker, Expected, ExpectedTransfers};
use crate::call::live_board::Board;
use crate::call::pin::check::PinChecks;
use crate::durability::persistence::{PersistenceActor, PersistenceState};
use crate::erasure::ledger::Ledger;
use crate::limits::agent_seats::{AgentSeats, SEAT_WITHIN};
use crate::limits::budgets::Budgets;
use crate::limits::provider_capacity::Capacity;
use crate::observe::metrics::Metrics;
use crate::observe::provider_health::ProviderState;
use crate::pbx::pbx_feed::LookAt;
use crate::pbx::pbx_health::PbxState;
use crate::runtime::fault_injection::Faults;
use crate::voices::known_database::KnownDatabase;
use crate::voices::samples::SampleStore;
use crate::voices::voice_book::VoiceBook;

pub use precall_store::voices::ConsentRule;

/// Settings of everything that talks to the provider.
#[derive(Clone, Debug)]
pub struct CallSettings {
    /// How the provider reaches the telephone network.
    pub telephony: Telephony,
    /// One dial, from queueing to the last byte of the answer.
    pub dial_within: Duration,
    /// In provider voice names.
    pub installation: String,
    /// Where samples lie.
    pub samples: SampleStore,
    /// Where recordings of conversations are, whether or not new ones are kept.
    pub recordings: PathBuf,
    /// Whether a clone needs a consent.
    pub consent: ConsentRule,
    /// Clones at once.
    pub clone_concurrency: usize,
    /// `VOICE_CLONE_TIMEOUT`: after it the waiting calls hear that it took too long.
    pub clone_timeout: Duration,
    /// `CACHE_TTL`.
    pub cache_ttl: Duration,
    /// `ERASURE_LEDGER`.
    pub ledger: Ledger,
    /// `SPOOL_DIR`; none without a place to write.
    pub spool_folder: Option<PathBuf>,
    /// Where it is remembered which database acted here; none without a place to write.
    pub known_database: Option<KnownDatabase>,
}

/// One for the engine, shared by all its actors.
pub struct Shared {
    /// Writes events.
    pub persistence: Addr<PersistenceActor>,
    /// How that goes.
    pub persistence_state: Arc<PersistenceState>,
    /// Knows voices.
    pub voice_book: Addr<VoiceBook>,
    /// For reads.
    pub pool: Pool,
    /// Whose turn it is to have a PIN checked.
    pub pin_checks: PinChecks,
    /// The PBX; none without 3CX call control.
    pub pbx: Option<PbxSide>,
    /// Calls on their way to an agent.
    pub transfers: Mutex<ExpectedTransfers>,
    /// How much callers and the installation have used.
    pub budgets: Mutex<Budgets>,
    /// Conversations with agents at once.
    pub agent_seats: AgentSeats,
    /// What the account and the agent carry, for people.
    pub capacity: Capacity,
    /// Prompts that are not as they were ordered, for health.
    pub prompt_problems: Mutex<Vec<String>>,
    /// Live calls, for people.
    pub board: Board,
    /// Counters and histograms.
    pub metrics: Arc<Metrics>,
    /// How the provider's last answers were.
    pub provider: Arc<ProviderState>,
    /// Settings.
    pub settings: CallSettings,
    /// There is something to be deleted outside the database.
    pub disposals: Notify,
    /// Panics on demand.
    pub faults: Faults,
    /// Where lines go.
    pub log: Logger,
}

impl Shared {
    /// The agent's provider will ask for this call's voice.
    pub fn expect_transfer(&self, expected: Expected) {
        self.transfers.lock().unwrap_or_else(PoisonError::into_inner).expect(expected);
    }

    /// It will not, after all.
    pub fn withdraw_transfer(&self, call: CallId) {
        self.transfers.lock().unwrap_or_else(PoisonError::into_inner).withdraw(call);
    }

    /// The budgets, for as long as a question takes.
    pub fn budgets(&self) -> MutexGuard<'_, Budgets> {
        self.budgets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A line and a count for what has happened to budgets since this was called last.
    pub fn tell_of_budgets(&self) {
        let news = self.budgets().take_news();
        for crossed in &news.crossed {
            warn!(self.log, "a budget is being used up"; "budget" => crossed.budget.name(),
                "percent" => crossed.percent);
        }
        self.metrics.budgets(&news);
    }

    /// A seat for a conversation that is about to be opened; false if all were taken for too long.
    pub async fn agent_seat(&self, call: CallId) -> bool {
        let within = SEAT_WITHIN.min(self.settings.dial_within / 2);
        let has_seat = self.agent_seats.take(call, within).await;
        if !has_seat {
            warn!(self.log, "AGENT_CONCURRENCY is used up, no conversation is opened"; "call" => %call);
        }
        has_seat
    }

    /// What health says of prompts from now on.
    pub fn set_prompt_problems(&self, problems: Vec<String>) {
        *self.prompt_problems.lock().unwrap_or_else(PoisonError::into_inner) = problems;
    }

    /// What health says of prompts.
    #[must_use]
    pub fn prompt_problems(&self) -> Vec<String> {
        self.prompt_problems.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The one transfer that asks.
    #[must_use]
    pub fn answer_transfer(&self, asker: &Asker, now: At) -> Option<Expected> {
        self.transfers.lock().unwrap_or_else(PoisonError::into_inner).answer(asker, now)
    }
}

/// What a client of the PBX is made of.
#[derive(Clone)]
pub struct PbxClient {
    /// Where it is and what opens it.
    pub settings: Arc<PbxSettings>,
    /// The one token.
    pub tokens: AccessTokens,
}

/// All that is shared of the PBX.
pub struct PbxSide {
    /// Audio into legs.
    pub media: Media,
    /// How the connection is.
    pub state: Arc<PbxState>,
    /// Who looks whether a leg is still there; set when the feed has started.
    pub look: OnceLock<Recipient<LookAt>>,
}

/// HTTP clients of one arbiter. Greetings have one of their own, so that slow uploads cannot starve them.
pub struct Clients {
    /// For greeting and agent dials.
    pub dials: ElevenLabs,
    /// For uploads and look-ups.
    pub bulk: ElevenLabs,
    /// For legs at the PBX; none without 3CX call control.
    pub pbx: Option<ThreeCx>,
}

thread_local! {
    static CLIENTS: OnceCell<Rc<Clients>> = const { OnceCell::new() };
}

/// Builds this arbiter's clients; to be called once on each.
pub fn install_clients(settings: &Arc<ProviderSettings>, pbx: Option<&PbxClient>) {
    CLIENTS.with(|cell| {
        cell.get_or_init(|| {
            Rc::new(Clients {
                dials: ElevenLabs::new(Arc::clone(settings)),
                bulk: ElevenLabs::new(Arc::clone(settings)),
                pbx: pbx.map(|pbx| ThreeCx::new(Arc::clone(&pbx.settings), pbx.tokens.clone())),
            })
        });
    });
}

/// This arbiter's clients; none on an arbiter of somebody else.
#[must_use]
pub fn clients() -> Option<Rc<Clients>> {
    CLIENTS.with(|cell| cell.get().cloned())
}
