//! Voices: cache, clone jobs, samples, voice slots of the account, and permission to use a voice.

pub(crate) mod circuit_breaker;
mod clone_failure;
pub(crate) mod clone_job;
pub(crate) mod known_database;
pub mod reconcile_rules;
pub mod rules;
pub mod samples;
pub mod services;
pub mod slot_rules;
pub mod terms;
pub(crate) mod voice_book;
