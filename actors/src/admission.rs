//! Admission: matches each event to its call, and decides whether a new call is accepted.

pub(crate) mod bypass_keeper;
pub mod call_registry;
pub mod call_supervisor;
pub(crate) mod caller_proof;
pub mod contract;
pub mod leg_owners;
pub(crate) mod waiting_legs;
