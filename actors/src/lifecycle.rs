//! Start, recovery and regular maintenance of the engine.

mod database_watch;
mod drain;
mod hand_over;
pub mod housekeeping;
mod last_acted;
mod leader_start;
mod leader_watch;
mod live_calls;
mod lock_wait;
mod pbx_start;
pub(crate) mod recovery;
pub(crate) mod restored_usage;
pub mod settings;
mod spool_import;
pub mod start;
mod still_spooled;
