//! Names and bounds of partitions.

use super::*;

#[test]
fn a_partition_begins_with_the_first_id_of_its_time() {
    let at = At(1_796_601_600_000_000); // 2026-12-07, a Monday.
    assert_eq!(first_id(at).to_string(), "01a24dcc-d800-0000-0000-000000000000");
    assert_eq!(
        Table::CallEvents.making(1_796_601_600),
        "create table if not exists call_events_20261207 partition of call_events for values from \
         ('01a24dcc-d800-0000-0000-000000000000') to ('01a271d9-5c00-0000-0000-000000000000')"
    );
    assert!(Table::Webhooks.making(0).ends_with("from ('1970-01-01T00:00:00Z') to ('1970-01-02T00:00:00Z')"));
}
