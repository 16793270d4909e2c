//! Metrics, and how the engine and its peers are.

pub mod health;
pub mod metrics;
pub mod prompt_problems;
pub mod provider_health;
