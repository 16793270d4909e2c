//! The engine.

pub mod phone_number;
