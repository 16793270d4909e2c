//! 3CX v20 Call Control, as far as its documents and captures tell.

pub mod access_token;
pub mod action;
pub mod address;
pub mod client;
pub mod error;
pub mod event;
pub mod participant;
pub mod settings;
pub mod socket;
pub mod token;
pub mod token_keeper;

mod frames;
mod wire;

#[cfg(test)]
pub(crate) mod tests;
