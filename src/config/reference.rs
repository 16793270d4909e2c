//! The documents about the variables, written from their definitions: `.env.example` and docs/CONFIGURATION.md.
//!
//! tests/env_example.rs compares the files with these texts, and rewrites them with `UPDATE_DOCS=1`.

mod env_example;
mod markdown;
mod shared;
mod wording;

pub use env_example::env_example;
pub use markdown::configuration_md;
pub use shared::{BRIDGE_MINIMUM, CALLBACK_MINIMUM};

#[cfg(test)]
mod tests;
