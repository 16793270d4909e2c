//! Metrics, and the health of the engine and its peers.

pub mod health;
pub mod metrics;
pub mod prompt_problems;
pub mod provider_health;
