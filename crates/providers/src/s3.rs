//! Objects of one bucket, at Amazon or any store that speaks its language: looked at, read, written, deleted for good.
//!
//! Requests are signed in their address and leave through the same client as everything else; the library only signs.

mod error;
mod objects;
mod settings;
mod versions;

pub use error::S3Error;
pub use objects::{Objects, Seen};
pub use settings::{S3Settings, S3SettingsError};
