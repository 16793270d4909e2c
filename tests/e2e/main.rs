//! The built program, tested from outside: processes, exit codes, output and log.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that cannot go on must stop"
)]

use precall_test_support as support;

mod adoption;
mod alerts;
mod backup;
mod board;
mod callers;
mod clock_steps;
mod commands;
mod config_reload;
mod databases;
mod demo;
mod documents;
mod embedded;
mod front_door;
mod killed_bridge;
mod killed_clones;
mod left_callers;
mod next_schema;
mod no_inbound_port;
mod one_engine;
mod open_files;
mod operator_commands;
mod planned_hand_over;
mod planted;
mod program;
mod refusals;
mod serve;
mod signals;
mod storm;
mod voices;
