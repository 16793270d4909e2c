//! The dashboard in a real browser, against the whole service with a simulated 3CX and ElevenLabs.
//!
//! Needs Chromium and chromedriver (Debian: chromium, chromium-driver).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test that cannot go on must stop"
)]

use precall_test_support as support;

mod call;
mod contrast;
mod lines;
mod listening;
mod live;
mod pages;
mod people;
mod sessions;
mod stale;
mod troubles;
mod turns;
mod worlds;
