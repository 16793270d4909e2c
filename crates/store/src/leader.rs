//! Which process acts on this database: the advisory lock and the generation row.

pub mod engine_lock;
pub mod generation;
pub mod live_calls;
pub mod pooler;
