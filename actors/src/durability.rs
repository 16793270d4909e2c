//! Events on their way to PostgreSQL or the spool, and which process may write.

pub mod batcher;
pub mod leadership;
pub mod persistence;
pub(crate) mod persistence_state;
pub mod write_path;
