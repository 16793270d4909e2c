//! PCM to and from live legs and agents, outside the actors' mailboxes: one thread per shard, one tick for all its
//! legs, no message per frame.
//!
//! Pure rules: [`playlist`] is what the caller hears, `playlist_cursor` yields the next bytes, `pacer` says how many
//! are due. `playout` joins them with the open upload; `leg` adds the agent and the caller's audio. `shard` is the
//! thread, `leg_streams` keeps a leg's two HTTP requests open over `net`, `bridge` talks to the agent, `tap`
//! copies a leg's audio for operators who listen. `hand_over` says when a leg's streams may be opened after a planned
//! change of the process. [`Media`] starts it all.

pub mod bridge;
mod caller_stream;
pub mod clip;
pub mod hand_over;
pub mod leg_events;
pub mod leg_handle;
pub mod playlist;
pub mod prompts;
pub mod tap;

mod codec;
mod error;
mod leg;
mod leg_commands;
mod leg_streams;
mod media;
mod net;
mod pacer;
mod playlist_cursor;
mod playout;
mod sample_framing;
mod shard;
mod shard_handle;

#[cfg(test)]
mod tests;

pub use error::MediaError;
pub use media::{Media, MediaSettings};
