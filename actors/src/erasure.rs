//! Erasure of a caller: rows, files, voices at the provider, and the ledger for restores.

pub(crate) mod deletion_worker;
pub(crate) mod erase_caller;
pub mod ledger;
pub(crate) mod services;
