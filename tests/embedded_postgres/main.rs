//! The embedded PostgreSQL, and what needs a real server: connections, TLS, migrations.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a failed step is a failed test"
)]

mod killed;
mod leftovers;
mod life;
mod migrate;
mod support;
mod templates;
mod tls;
