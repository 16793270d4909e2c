//! Start, recovery and regular maintenance of the engine.

pub mod housekeeping;
pub(crate) mod recovery;
pub(crate) mod restored_usage;
pub mod settings;
pub mod start;
