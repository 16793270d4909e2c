//! Webhooks and events that PostgreSQL refuses for their content: each is kept where people find it.

use std::sync::Arc;
use std::time::Duration;

use precall_call::At;
use precall_store::connect::{Limits, pool};
use precall_store::events::event_log::quarantined;
use precall_store::events::refused::write_apart;
use precall_store::events::rows::{
    Batch, Entry, KeptEnd, KeptReport, RawBody, RowWrite, Stream, Time, WebhookRow,
};
use precall_store::events::write::write;
use precall_store::leader::engine_lock::claim;
use serde_json::json;
use tokio_postgres::Client;
use uuid::Uuid;

use crate::support::{connect_to, database};

const LEASE: Duration = Duration::from_secs(4);
const NOW: At = At(1_764_000_000_000_000);

fn webhook(provider_id: &str) -> RowWrite {
    RowWrite::WebhookKept(Arc::new(WebhookRow {
        id: Uuid::now_v7(),
        kind: "post_call_transcription".into(),
        provider_id: provider_id.to_owned(),
        event_timestamp: Time(NOW),
        body_sha256: String::new(),
        received_at: Time(NOW),
        state: "done".into(),
        outcome: "applied".into(),
        reason: None,
        body: Some(RawBody::of("{\"text\":\"Grüß Gott\"}".into())),
    }))
}

fn report(id: &str, body: serde_json::Value) -> RowWrite {
    RowWrite::ReportKept(KeptReport {
        conversation_id: id.to_owned(),
        kind: "post_call_transcription".into(),
        event_timestamp: 1_764_000_000,
        body,
    })
}

async fn bodies(client: &Client) -> Vec<(String, String)> {
    let sql = "select state, convert_from(body, 'UTF8') from webhooks order by id";
    client.query(sql, &[]).await.unwrap().iter().map(|row| (row.get(0), row.get(1))).collect()
}

#[actix::test]
async fn a_refused_webhook_or_report_is_a_quarantined_webhook_with_its_body() {
    let long = "x".repeat(9_000);
    let cases = [
        // A text that compresses badly is too long for an index.
        ("an id longer than an index takes", webhook(&incompressible(9_000)), "Grüß"),
        ("a report whose id is too long", report(&incompressible(9_000), json!({ "words": long })), "xxx"),
    ];
    for (what, row, body) in cases {
        let made = database();
        let client = connect_to(made.url()).await;
        let pool = pool(&made.url().parse().unwrap(), "test", Limits::default()).unwrap();
        claim(&client, 1, LEASE, Uuid::now_v7()).await.unwrap();
        let batch = Batch { entries: Vec::new(), rows: vec![row] };
        let error = write(&pool, &batch, 1).await.unwrap_err();
        assert!(!error.is_passing(), "{what}: {error}");
        assert_eq!(write_apart(&pool, &batch, 1).await.unwrap(), (None, 1), "{what}");
        let kept = bodies(&client).await;
        assert!(
            matches!(&*kept, [(state, text)] if state == "quarantined" && text.contains(body)),
            "{what}: {kept:?}"
        );
    }
}

/// Letters and digits in no order that a compression finds.
fn incompressible(length: usize) -> String {
    let mut state = 12_345_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        char::from(b"abcdefghijklmnopqrstuvwxyz0123456789"[usize::try_from(state >> 33).unwrap() % 36])
    };
    (0..length).map(|_| next()).collect()
}

#[actix::test]
async fn a_refused_end_of_a_call_and_a_refused_event_are_in_quarantine() {
    let made = database();
    let client = connect_to(made.url()).await;
    let pool = pool(&made.url().parse().unwrap(), "test", Limits::default()).unwrap();
    claim(&client, 1, LEASE, Uuid::now_v7()).await.unwrap();
    let end = KeptEnd { pbx: "default".into(), threecx_call_id: incompressible(9_000), ended_at: Time(NOW) };
    // No log has an event 0.
    let entry = Entry { seq: 0, ..entry("a\u{0}b") };
    let batch = Batch { entries: vec![entry], rows: vec![RowWrite::EarlyEndKept(end)] };
    assert_eq!(write_apart(&pool, &batch, 1).await.unwrap(), (None, 2));
    assert_eq!(quarantined(&client).await.unwrap(), 2);
    let sql = "select stream, content from quarantined_events order by stream";
    let rows = client.query(sql, &[]).await.unwrap();
    let kept: Vec<(String, String)> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    assert!(kept[0].0 == "call" && kept[0].1.contains("a\u{fffd}b"), "{kept:?}");
    assert!(kept[1].0 == "row" && kept[1].1.contains("early_end_kept"), "{kept:?}");
    // The outcome of the first write may be unknown: then it is written again.
    write_apart(&pool, &Batch { rows: Vec::new(), ..batch }, 1).await.unwrap();
    assert_eq!(quarantined(&client).await.unwrap(), 2);
}

fn entry(text: &str) -> Entry {
    Entry {
        stream: Stream::Call,
        owner: Uuid::now_v7(),
        seq: 1,
        at: NOW,
        event: json!({ "v": 1, "kind": "offered", "text": text }),
        pii: Some(json!({ "transcript": text, text: [text] })),
        derived: Vec::new(),
    }
}

#[actix::test]
async fn a_nul_is_replaced_and_refuses_nothing() {
    let made = database();
    let client = connect_to(made.url()).await;
    let pool = pool(&made.url().parse().unwrap(), "test", Limits::default()).unwrap();
    claim(&client, 1, LEASE, Uuid::now_v7()).await.unwrap();
    let end = KeptEnd { pbx: "default".into(), threecx_call_id: "7\u{0}".into(), ended_at: Time(NOW) };
    let rows = vec![
        webhook("conv_\u{0}1"),
        report("conv_1", json!({ "words": "a\u{0}b" })),
        RowWrite::EarlyEndKept(end),
    ];
    let batch = Batch { entries: vec![entry("a\u{0}b")], rows };
    for _ in 0..2 {
        write(&pool, &batch, 1).await.unwrap();
    }
    assert_eq!(quarantined(&client).await.unwrap(), 0, "the same event is the same the second time");
    let sql = "select concat_ws(' ', (select event ->> 'text' from call_events),
        (select pii ->> 'transcript' from call_events), (select provider_id from webhooks),
        (select body ->> 'words' from unmatched_reports), (select threecx_call_id from early_ends))";
    let stored: String = client.query_one(sql, &[]).await.unwrap().get(0);
    assert_eq!(stored.replace('\u{fffd}', "?"), "a?b a?b conv_?1 a?b 7?");
}

#[actix::test]
async fn a_missing_privilege_or_table_is_no_fault_of_the_data() {
    let made = database();
    let client = connect_to(made.url()).await;
    let pool = pool(&made.url().parse().unwrap(), "test", Limits::default()).unwrap();
    claim(&client, 1, LEASE, Uuid::now_v7()).await.unwrap();
    for statement in
        ["alter table webhooks rename column reason to why", "alter table webhooks rename to hooks"]
    {
        client.batch_execute(statement).await.unwrap();
        let batch = Batch { entries: Vec::new(), rows: vec![webhook("conv_1")] };
        let error = write(&pool, &batch, 1).await.unwrap_err();
        assert!(error.is_passing(), "it waits until the database is repaired: {error}");
    }
}
