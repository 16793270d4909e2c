//! What the tests and benches of precall share: the whole service on a database of its own, with simulators around it.
//!
//! `World` runs it inside a test, `PbxWorld` adds a simulated 3CX, and `harness` runs it as processes under load.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that cannot go on must stop, and say where"
)]

mod agents;
mod api_document;
pub mod browser;
mod calls;
pub mod cluster;
pub mod collector;
mod consent;
pub mod database_link;
pub mod harness;
pub mod log_lines;
mod pbx_world;
mod plan;
mod posted_webhooks;
pub mod provider_files;
pub mod proxy;
mod sound;
pub mod spooled_calls;
pub mod starvation;
mod wait;
mod world;

pub use agents::{allow_override, allowing_agent, talkative_agent};
pub use api_document::ApiDocument;
pub use calls::{call_policy, reported};
pub use pbx_world::{AGENT, CLIENT, PERSON, PbxPlan, PbxWorld, agent_answers, pbx_simulator};
pub use plan::Plan;
pub use posted_webhooks::{Acknowledged, PostedWebhooks};
pub use sound::{Sound, tone_ms, write_sample};
pub use wait::{PATIENCE, lasting, pause, until};
pub use world::*;
