//! Databases as people have them: wrong ones, foreign ones, and a pooler in between. Each is a real one.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that cannot go on must stop"
)]

use precall_test_support as support;

mod adopted;
mod broken;
mod connections;
mod foreign;
mod look;
mod pgbouncer;
mod pooler;
mod refused_rows;
mod writes;
