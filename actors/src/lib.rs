//! The engine.

pub mod dial_guard;
pub mod engine;
pub mod metrics;
pub mod phone_number;
pub mod providers;
pub mod store;
pub mod voice_sample;
