//! Fetches post-call reports that no webhook delivered.

pub(crate) mod report_collector;
