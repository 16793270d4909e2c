//! PostgreSQL: one file a subject, each statement beside the row it fills.

pub mod call_context;
pub mod connect;
pub mod consents;
pub mod due_conversations;
pub mod engine_generation;
pub mod engine_lock;
pub mod error;
pub mod event_json;
pub mod event_log;
pub mod left_behind;
pub mod lines;
pub mod migrate;
pub mod partitions;
pub mod pins;
pub mod read_calls;
pub mod read_events;
pub mod read_statistics;
mod reading;
pub mod recent_calls;
pub mod retention;
pub mod rows;
pub mod schema;
pub mod speakers;
pub mod spoken_lines;
pub mod unmatched_reports;
pub mod verify;
pub mod voice_event_json;
pub mod voices;
pub mod webhooks;
pub mod write;

pub use error::StoreError;
