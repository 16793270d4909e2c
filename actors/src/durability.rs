//! Writes events to PostgreSQL or the spool, and knows which process may write.

pub mod batcher;
pub(crate) mod commits;
mod dated_words;
pub mod leadership;
pub mod lease;
pub mod persistence;
pub(crate) mod persistence_state;
pub(crate) mod spool_state;
pub mod write_path;
mod write_task;
