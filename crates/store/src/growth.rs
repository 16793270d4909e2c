//! Tables that grow: partitions by week and day, and what retention deletes.

pub mod partitions;
pub mod retention;
