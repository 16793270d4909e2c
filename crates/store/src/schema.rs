//! Migrations: compiled in, and applied under a lock before the first admission. And what a database holds already.

pub mod adopt;
pub mod embedded;
pub mod migrate;
pub(crate) mod objects;
pub mod recognise;
