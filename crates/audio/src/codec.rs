//! Sample rates and encodings.

pub mod resampler;
pub mod transcode;
