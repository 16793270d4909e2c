//! What `/health`, `/api/v1/live` and the live board show of the state of precall.

pub(super) mod capacity;
pub(super) mod health;
pub(super) mod seen_figures;
pub(crate) mod webhook_outcomes;
