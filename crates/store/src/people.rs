//! Callers, speakers, their samples, consents and PINs, and everything that an erasure removes.

pub mod audit;
pub mod caller_import;
pub mod caller_samples;
pub mod callers;
pub mod consent_import;
pub mod consents;
pub mod deletions;
pub mod erasure;
pub mod pins;
pub mod speakers;
