//! Limits of callers and of the installation: dials, budgets, seats and the provider's limits.

pub mod agent_seats;
pub mod budgets;
pub mod bypass;
pub mod dial_guard;
pub mod provider_capacity;
