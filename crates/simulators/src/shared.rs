//! Parts that more than one simulator uses.

pub(crate) mod body;
pub(crate) mod requests;
