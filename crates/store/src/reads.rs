//! Reads for the API and the dashboard, each bounded and on a read-only transaction.

pub mod call_histogram;
pub mod call_list;
pub mod caller_voices;
pub mod calls;
pub mod clone_steps;
pub mod events;
pub mod failures;
pub mod leader;
pub mod log_end;
pub mod mapped_callers;
pub(crate) mod read_only;
pub mod replica;
pub mod server_clock;
pub mod statistics;
pub mod utterances;
pub mod voices;
pub mod webhooks;
