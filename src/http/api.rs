//! `/api/v1`: calls, callers, speakers, voices, audit and events.

pub(super) mod audit;
pub(super) mod auth;
pub(super) mod bypass;
mod call_id;
pub(super) mod caller_id;
pub(super) mod callers;
pub(super) mod calls;
pub(super) mod erasure;
mod etag;
pub(super) mod events;
pub(super) mod fields;
pub(super) mod idempotency;
pub(super) mod json_body;
pub(super) mod keys;
pub(super) mod lines;
pub(super) mod live;
pub(super) mod open_streams;
pub(super) mod operate;
pub(super) mod page;
pub(super) mod query_check;
pub(super) mod read;
pub(super) mod samples;
mod sight;
pub(super) mod speakers;
pub(super) mod statistics;
pub(super) mod voices;
pub(super) mod webhooks;
