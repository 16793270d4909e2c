//! Health, metrics, the live board and the page of the API.

pub(super) mod api_page;
pub(super) mod board;
pub(super) mod figures;
pub(super) mod health;
pub(super) mod metrics_page;
