//! Erasing a caller: the rows, the files, the voices at the provider, and the ledger that keeps it so.

pub(crate) mod deletion_worker;
pub(crate) mod erase_caller;
pub mod ledger;
pub(crate) mod services;
