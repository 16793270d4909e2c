//! PostgreSQL and the spool. Each statement stands beside the row that it fills. This crate knows ids and facts, never
//! actors and never a provider.

pub mod alerts;
pub mod api_keys;
pub mod bypass;
pub mod canary;
pub mod connect;
pub mod error;
pub mod readiness;
pub mod schema;

pub mod events;
pub mod idempotency;
pub mod lines;
pub mod people;
pub mod reads;
pub mod voices;

pub mod growth;
pub mod leader;
pub mod recovery;
pub mod spool;
pub mod spool_pace;
pub mod spool_recovery;
pub mod verify;

pub use error::StoreError;
