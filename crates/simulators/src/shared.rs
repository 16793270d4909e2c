//! Parts that more than one simulator uses.

pub(crate) mod body;
pub(crate) mod control;
pub(crate) mod deliveries;
pub(crate) mod fault_list;
pub(crate) mod options;
pub(crate) mod posting;
pub(crate) mod requests;
pub(crate) mod server;
pub(crate) mod signature;
#[cfg(test)]
pub(crate) mod test_client;
pub(crate) mod wav;
