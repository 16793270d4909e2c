//! Start, recovery and regular maintenance of the engine.

pub(crate) mod housekeeping;
pub(crate) mod recovery;
pub(crate) mod restored_usage;
pub(crate) mod start;
