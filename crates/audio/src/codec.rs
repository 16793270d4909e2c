//! Sample rates and encodings of live audio.

mod resampler;
pub(crate) mod transcode;
