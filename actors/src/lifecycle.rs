//! Start, recovery and regular maintenance of the engine.

mod database_watch;
pub mod housekeeping;
mod leader_start;
mod lock_wait;
pub(crate) mod recovery;
pub(crate) mod restored_usage;
pub mod settings;
pub mod start;
