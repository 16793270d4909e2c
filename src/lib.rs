//! The edge.

pub mod embedded_postgres;
