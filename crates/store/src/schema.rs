//! Migrations: compiled in, and applied under a lock before the first admission.

pub mod embedded;
pub mod migrate;
