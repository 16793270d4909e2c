//! The edge.
pub mod simulators;
