//! The summaries of a second.
#![allow(clippy::unwrap_used, reason = "a test may stop at what it did not expect")]

use std::net::Ipv4Addr;

use super::*;
use crate::http::tests::log_lines::LogLines;

fn refusals() -> (Arc<Refusals>, LogLines) {
    let lines = LogLines::default();
    (Refusals::new(lines.logger()), lines)
}

#[actix_web::test]
async fn one_source_and_outcome_is_one_line() {
    let (refusals, lines) = refusals();
    let (a, b) = (IpAddr::from([192, 0, 2, 1]), IpAddr::from([192, 0, 2, 2]));
    for _ in 0..5_000 {
        refusals.count(Refused::Webhook("3cx"), "signature_missing", Some(a), None);
    }
    refusals.count(Refused::Webhook("3cx"), "signature_wrong", Some(a), None);
    refusals.count(Refused::Webhook("3cx"), "signature_missing", Some(b), None);
    refusals.count(Refused::Api, "unauthenticated", None, None);
    refusals.flush();
    let mut written = lines.take();
    written.sort_by_key(|line| (line["msg"].clone(), line["outcome"].clone(), line["client"].clone()));
    let shown: Vec<String> = written
        .iter()
        .map(|line| format!("{} {} {}", line["outcome"], line["client"], line["count"]))
        .collect();
    assert_eq!(
        shown,
        [
            "unauthenticated others 1",
            "signature_missing 192.0.2.1 5000",
            "signature_missing 192.0.2.2 1",
            "signature_wrong 192.0.2.1 1",
        ]
    );
    refusals.flush();
    assert!(lines.take().is_empty(), "nothing is counted twice");
}

#[actix_web::test]
async fn many_sources_share_a_line_and_no_request_is_lost() {
    let (refusals, lines) = refusals();
    for n in 0..10_000_u32 {
        let client = IpAddr::V4(Ipv4Addr::from(0xC000_0000 + n));
        refusals.count(Refused::Webhook("postcall"), "signature_missing", Some(client), None);
    }
    refusals.flush();
    let lines = lines.take();
    assert_eq!(lines.len(), SOURCES_MAX + 1);
    assert_eq!(lines.iter().map(|line| line["count"].parse::<u64>().unwrap()).sum::<u64>(), 10_000);
    let others: Vec<_> = lines.iter().filter(|line| line["client"] == OTHERS).collect();
    assert_eq!(others.len(), 1);
}

#[actix_web::test]
async fn what_was_refused_of_late_is_kept_by_source_and_reason() {
    let (refusals, _lines) = refusals();
    let a = IpAddr::from([192, 0, 2, 1]);
    for off in ["30 min behind", "31 min behind"] {
        refusals.count(Refused::Webhook("3cx"), "signature_expired", Some(a), Some(off.to_owned()));
        refusals.flush();
    }
    refusals.count(Refused::Webhook("3cx"), "signature_wrong", Some(a), None);
    let kept = refusals.of_late();
    let shown: Vec<_> =
        kept.iter().map(|it| (it.outcome, it.client, it.count, it.clock.as_deref())).collect();
    let expired = ("signature_expired", Some(a), 2, Some("31 min behind"));
    assert_eq!(shown, [("signature_wrong", Some(a), 1, None), expired]);
    assert!(kept.iter().all(|it| it.first <= it.latest));
    for n in 0..1_000_u32 {
        refusals.count(Refused::Api, "unauthenticated", Some(IpAddr::V4(Ipv4Addr::from(n << 8))), None);
        refusals.flush();
    }
    assert_eq!(refusals.of_late().len(), KEPT_MAX.get());
}

#[actix_web::test]
async fn a_summary_comes_by_itself_and_at_the_end() {
    let (refusals, lines) = refusals();
    refusals.count(Refused::Api, "forbidden", None, None);
    let begun = std::time::Instant::now();
    let mut written = 0;
    while written == 0 {
        assert!(begun.elapsed() < Duration::from_secs(30), "no summary");
        tokio::time::sleep(Duration::from_millis(50)).await;
        written = lines.take().len();
    }
    refusals.count(Refused::Api, "forbidden", None, None);
    drop(refusals);
    assert_eq!((written, lines.take().len()), (1, 1));
}
