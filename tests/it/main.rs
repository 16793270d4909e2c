//! The whole service with a real PostgreSQL and a simulated provider over HTTP.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that cannot go on must stop"
)]

use precall_test_support as support;

mod agent_seats;
mod alerts;
mod api;
mod api_calls;
mod audit_trail;
mod budgets;
mod bypass;
mod call_page;
mod callback;
mod called_back;
mod callers;
mod canary;
mod check;
mod clone_failures;
mod config_reload;
mod crm_template;
mod dead_connections;
mod dial_guard;
mod dials;
mod erasure;
mod health_outcomes;
mod idempotency;
mod inbox;
mod isolation;
mod keys;
mod left_behind;
mod lines;
mod live_arrivals;
mod live_board;
mod live_bridge;
mod live_bridge_ends;
mod live_bridge_persons;
mod live_budgets;
mod live_feed;
mod live_first_word;
mod live_greeting;
mod live_handoff;
mod live_hangups;
mod live_initiation;
mod live_isolation;
mod live_keys;
mod live_legs;
mod live_restarts;
mod live_silent;
mod live_start;
mod lost_in_restart;
mod management;
mod operator_actions;
mod outages;
mod overrides;
mod page_history;
mod page_lists;
mod page_session;
mod page_system;
mod proof;
mod quarantine;
mod read_replica;
mod refused_reports;
mod report_analysis;
mod reports;
mod restarts;
mod sample_playback;
mod samples;
mod schema;
mod speakers;
mod spool_disk;
mod spool_import;
mod supervision;
mod traces;
mod unheard_agents;
mod verify;
mod voice_reconciler;
mod voice_slots;
mod webhooks;
mod wire;
mod withdrawals;
