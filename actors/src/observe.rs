//! Metrics, and the health of the providers.

pub mod metrics;
pub mod provider_health;
