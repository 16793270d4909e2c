//! Health, metrics and the live board.

pub(super) mod board;
pub(super) mod health;
pub(super) mod metrics_page;
