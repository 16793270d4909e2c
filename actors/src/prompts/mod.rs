//! What callers hear, prepared before any call.

mod bundled;
mod cache;
mod decode;
mod pcm;
mod resample;

pub use decode::{AudioError, FILE_BYTES_MAX, LENGTH_MAX, decode};
