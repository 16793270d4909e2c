//! What callers hear before an agent speaks, prepared at start and on reload. During a call nothing is prepared: the
//! call takes its line's [`Prompts`], which are bytes in memory.
//!
//! A prompt that cannot be prepared is replaced by bundled sound and reported as a problem. The notice is not replaced:
//! a caller who does not hear that the voice is artificial and the call recorded must not speak with such a voice. The
//! line then has no notice, and its calls must know that.

mod bundled;
mod cache;
mod decode;
mod download;
mod pcm;
mod prepare;
mod prompt_order;
mod prompt_set;
mod resample;
mod source;

pub use bundled::hold as bundled_hold;
pub use decode::{AudioError, FILE_BYTES_MAX, decode};
pub use prepare::{Prepared, PromptMaker, PromptSettings};
pub use prompt_order::{HoldOrder, PromptOrder, Words};
pub use prompt_set::{Notice, NoticeMissing, Origin, Origins, Prompts};
