//! What callers hear before an agent speaks, prepared at start and on reload. During a call nothing is prepared: the
//! call takes its line's [`Prompts`], which are bytes in memory.
//!
//! A prompt that cannot be prepared is replaced by bundled sound and reported as a problem. The notice is not replaced:
//! a caller who does not hear that the voice is artificial and the call recorded must not speak with such a voice. The
//! line then has no notice, and its calls must know that.

mod aiff;
mod audio_error;
mod bundled;
mod cache;
mod caf;
mod decode;
mod download;
mod mono;
mod mp4;
mod opus;
mod packet_decoder;
mod pcm;
mod prepare;
mod prompt_order;
mod prompt_set;
mod public_address;
mod recording_format;
mod resample;
mod source;
mod wave;
mod whole;

pub use audio_error::AudioError;
pub use bundled::hold as bundled_hold;
pub use decode::{FILE_BYTES_MAX, Recording, decode, read_recording, to_wav};
pub use prepare::{Prepared, PromptMaker, PromptSettings};
pub use prompt_order::{HoldOrder, PromptOrder, Words};
pub use prompt_set::{Notice, NoticeMissing, Origin, Origins, Prompts};
pub use recording_format::{RecordingFormat, recognise};
