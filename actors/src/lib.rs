//! The engine: everything that happens to a call.
//!
//! `engine` is its face. `supervisor` admits and routes, `call_actor` runs one call by the rules of `precall-call`, and
//! the smaller actors each do one thing for it.

pub mod engine;

pub mod call_actor;
pub mod clone_job;
pub mod clone_worker;
pub mod greeting;
pub mod handoff;
pub mod persistence;
pub mod report_collector;
pub mod supervisor;
pub mod voice_book;

pub mod agent_seats;
pub mod batcher;
pub mod board;
mod breaker;
pub mod budgets;
pub mod call_context;
pub mod call_rows;
pub mod capacity;
pub mod conversation_lookup;
pub mod death_notice;
pub mod dial_guard;
mod disposer;
pub mod erasure_ledger;
pub mod expected_transfers;
pub mod faults;
pub mod greeting_player;
pub mod heartbeat;
mod known_database;
pub mod last_words;
pub mod leg_book;
pub mod leg_news;
pub mod leg_orders;
mod leg_proof;
pub mod legs;
pub mod line;
pub mod metrics;
pub mod pbx_feed;
pub mod pbx_state;
pub mod pin;
mod pin_check;
pub mod pin_pad;
pub mod pipe;
pub mod programme;
pub mod provider_state;
pub mod reconciler;
pub mod registry;
pub mod resilient;
pub mod samples;
pub mod shared;
pub mod slot_book;
pub mod standing;
