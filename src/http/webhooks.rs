//! Webhooks of 3CX and ElevenLabs: signature, body, inbox.

pub(super) mod body;
pub(super) mod inbox;
pub(crate) mod initiation;
pub(super) mod postcall;
mod postcall_schema;
mod proof;
pub(super) mod recordings;
pub(super) mod signed_body;
pub(super) mod state;
pub(super) mod threecx;
pub(super) mod threecx_crm;
mod threecx_proof;
pub(super) mod unreadable;
mod unsigned_body;
