//! Which process acts on this database: the advisory lock, the lease and the generation row.

pub mod adoption;
pub mod engine_lock;
pub mod generation;
pub mod hand_over;
pub mod lease;
pub mod live_calls;
pub mod pooler;
pub mod process_mark;
pub mod standby_seat;
