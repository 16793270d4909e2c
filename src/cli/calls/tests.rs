//! The list of `precall calls`.
#![allow(clippy::unwrap_used, reason = "a test may stop at what it did not expect")]

use clap::Parser;
use serde_json::json;

use super::{Arguments, Call, table};

#[derive(Debug, Parser)]
struct Line {
    #[command(flatten)]
    arguments: Arguments,
}

#[test]
fn the_filters_become_a_query() {
    let query = |words: &str| {
        let line = Line::try_parse_from(std::iter::once("calls").chain(words.split_whitespace())).unwrap();
        line.arguments.query("2026-11-29T12:00:00Z".parse().unwrap())
    };
    assert_eq!(query(""), "");
    assert_eq!(query("--live"), "live=true");
    assert_eq!(query("--failed --since 1h"), "status=failed&since=2026%2D11%2D29T11%3A00%3A00Z");
    assert_eq!(query("--caller +4930123 --line shop"), "caller_id=%2B4930123&line=shop");
    assert!(Line::try_parse_from(["calls", "--failed", "--live"]).is_err());
}

#[test]
fn the_table_says_how_each_call_ended() {
    let calls: Vec<Call> = serde_json::from_value(json!([
        {
            "id": "0199", "threecx_call_id": "17", "caller_id": "+4930123", "line": "shop", "state": "released",
            "cause": "no_leg", "blame": "pbx", "voice_missing": "no_mapping",
            "started_at": "2026-11-29T11:00:00Z", "ended_at": "2026-11-29T11:00:10Z",
        },
        {
            "id": "0200", "threecx_call_id": null, "caller_id": null, "line": "default", "state": "holding",
            "cause": null, "blame": null, "voice_missing": null,
            "started_at": "2026-11-29T11:00:01Z", "ended_at": null,
        },
    ]))
    .unwrap();
    assert_eq!(
        table(&calls),
        "came in (UTC)        caller    line     lasted  how                              3CX id  id
2026-11-29 11:00:00  +4930123  shop     10.0 s  no_leg (pbx), voice: no_mapping  17      0199
2026-11-29 11:00:01  withheld  default  live    holding                                  0200
"
    );
    assert_eq!(table(&[]), "no calls\n");
}
