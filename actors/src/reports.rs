//! Post-call reports that precall fetches when no webhook brings them.

pub mod report_collector;
