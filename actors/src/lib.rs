//! The engine.

pub mod dial_guard;
pub mod phone_number;
pub mod providers;
pub mod voice_sample;
