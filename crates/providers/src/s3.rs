//! Client of one S3 bucket, at Amazon or a compatible store: head, read, write, and delete with all versions.
//!
//! The library only signs URLs; the requests use the same HTTP client as the other providers.

mod error;
mod objects;
mod settings;
pub mod versions;

pub use error::S3Error;
pub use objects::{ObjectVersion, Objects};
pub use settings::{S3Settings, S3SettingsError};
