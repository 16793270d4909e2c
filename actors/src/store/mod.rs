//! PostgreSQL: one file a subject, each statement beside the row it fills.

pub mod audit;
pub mod call_context;
pub mod callers;
pub mod connect;
pub mod consents;
pub mod deletions;
pub mod due_conversations;
pub mod engine_generation;
pub mod engine_lock;
pub mod erasure;
pub mod error;
pub mod event_json;
pub mod event_log;
pub mod left_behind;
pub mod lines;
pub mod migrate;
pub mod partitions;
pub mod read_calls;
pub mod read_events;
pub mod read_statistics;
pub mod read_voices;
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
