//! 3CX v20 Call Control, as far as its documents and captures tell.

pub mod access_token;
pub mod address;
