//! Interface of the engine for the edge.

mod handle;
mod initiation;
mod recent_webhooks;
mod reload;
mod supervision;
mod system;

pub use crate::admission::contract::{
    Busy, IncomingCall, NotBypassed, OperatorOrder, Ordered, Outcome, PbxNotice, PbxNoticeKind,
    ReportOutcome, Taken,
};
pub use crate::call::live_board::{Board, BoardView, CloneProgress, Counters, EndedCall, LiveCall, Parties};
pub use crate::call::supervision::{ActorMailbox, Listening, SupervisionRefusal, SupervisionView};
pub use crate::canary::settings::CanarySettings;
pub use crate::canary::{CanaryView, NotRun};
pub use crate::durability::commits::CommitView;
pub use crate::durability::spool_state::SpoolHealth;
pub use crate::erasure::erase_caller::{ErasureReport, NotErased};
pub use crate::limits::budgets::BudgetUse;
pub use crate::limits::provider_capacity::Measure;
pub use crate::observe::alert_delivery::AlertDelivery;
pub use crate::observe::config_reload::ConfigReload;
pub use crate::observe::health::{CapacityHealth, Health, PbxHealth};
pub use crate::observe::metrics::{Distribution, RequestFigures, TimeFigures};
pub use crate::observe::outcomes::{Area, HealthProblem};
pub use crate::observe::shared_outcomes::SharedOutcomes;
pub use crate::voices::terms::CloneStage;
pub use crate::voices::voice_book::{ClonedAhead, NotReconciled, Reconciled};
pub use handle::EngineHandle;
pub use initiation::{InitiationAnswer, InitiationAsked};
pub(crate) use reload::ReloadAsked;
pub use reload::{LiveLegSettings, ReloadableSettings};
pub use system::{FeedView, System};
