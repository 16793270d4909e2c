//! The event log: its JSON, its rows, and the one transaction that writes a batch.

mod derived;
pub mod event_json;
pub mod event_log;
pub(crate) mod import;
mod pipeline;
pub mod positions;
pub mod quarantine;
pub(crate) mod raw;
pub mod refused;
pub mod rows;
mod storable;
pub mod voice_event_json;
pub mod write;
