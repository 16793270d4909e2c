//! What callers and the installation may use: dials, budgets, seats, the limits of the provider.

pub mod agent_seats;
pub mod budgets;
pub mod dial_guard;
pub mod provider_capacity;
