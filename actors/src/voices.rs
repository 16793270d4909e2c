//! Voices: cache, clone jobs, samples, slots at the provider, and who may hear which voice.

pub(crate) mod circuit_breaker;
pub(crate) mod clone_job;
pub(crate) mod known_database;
pub mod reconcile_rules;
pub mod rules;
pub mod samples;
pub mod services;
pub mod slot_rules;
pub mod terms;
pub(crate) mod voice_book;
