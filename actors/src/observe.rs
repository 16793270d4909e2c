//! Metrics, traces, and the health of the engine and its peers.

pub mod alert_delivery;
pub(crate) mod call_outcomes;
pub mod canary_calls;
pub mod config_reload;
pub mod health;
mod host_state;
pub(crate) mod host_watch;
pub mod metrics;
pub mod outcomes;
pub(crate) mod problems;
pub mod prompt_problems;
pub mod provider_health;
pub(crate) mod provider_probe;
mod replica_state;
pub(crate) mod replica_watch;
pub mod shared_outcomes;
pub(crate) mod start_refusal;
#[cfg(test)]
pub(crate) mod test_policy;
pub mod traces;
pub mod wire_log;
