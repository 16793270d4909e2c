//! What 3CX and ElevenLabs send, read and passed to the engine. The webhooks and the replay of the API both use it.

pub(super) mod jsonb_safe;
pub(super) mod postcall;
pub(super) mod threecx;
pub(super) mod threecx_wire;

/// Bytes. A longer body is read on another thread: a worker serves many callers.
pub(super) const READ_HERE_MAX: usize = 256 * 1024;
