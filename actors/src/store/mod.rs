//! PostgreSQL: how it is reached, how its schema is brought up to date, and one file for each subject kept in it.

pub mod connect;
pub mod migrate;
