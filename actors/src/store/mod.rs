//! What is asked of PostgreSQL: one file a subject, each statement beside the row it fills.

mod error;
pub mod read_calls;
pub mod read_events;
pub mod read_statistics;
mod reading;

pub use error::StoreError;
