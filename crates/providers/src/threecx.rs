//! Client of 3CX v20 Call Control, written from the 3CX documentation and from captured traffic.

pub mod access_token;
pub mod action;
pub mod address;
pub mod bounded_codec;
pub mod client;
pub mod error;
pub mod event;
mod handed_token;
pub mod outgoing;
pub mod participant;
pub mod rivalry;
pub mod settings;
pub mod socket;
pub mod token;
pub mod token_keeper;
pub mod wire;

#[cfg(test)]
pub(crate) mod tests;
