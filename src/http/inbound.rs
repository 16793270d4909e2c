//! Parses messages of 3CX and ElevenLabs and passes them to the engine. Webhooks and the replay in the API use it.

pub(crate) mod jsonb_safe;
pub(crate) mod postcall;
pub(super) mod threecx;
pub(crate) mod threecx_crm;
pub(super) mod threecx_schema;
pub(crate) mod threecx_wire;

/// Bytes. A longer body is parsed on another thread, because a worker serves many clients.
pub(super) const READ_HERE_MAX: usize = 256 * 1024;
