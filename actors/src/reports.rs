//! Post-call reports that precall fetches when no webhook brings them.

pub(crate) mod report_collector;
