//! What callers hear, prepared before any call.

mod decode;
mod pcm;
mod resample;

pub use decode::{AudioError, FILE_BYTES_MAX, LENGTH_MAX, decode};
