//! Health, metrics and the page of the API.

pub(super) mod api_page;
pub(super) mod figures;
pub(super) mod health;
pub(super) mod metrics_page;
