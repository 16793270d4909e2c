//! Webhooks of 3CX and ElevenLabs: signature, body, inbox.

pub(super) mod body;
pub(super) mod inbox;
pub(super) mod initiation;
pub(super) mod postcall;
pub(super) mod recordings;
pub(super) mod signed_body;
pub(super) mod state;
pub(super) mod threecx;
pub(super) mod unreadable;
