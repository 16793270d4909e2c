//! The page of the history, and its export.

use serde_json::json;

use crate::callers::with_keys;
use crate::page_session::Session;
use crate::support::{KEY, World, incoming};

const READER: &str = "reader-key-0123456789abcdef0123456789abcdef";

/// What the rows of the page lead to, in order.
fn rows(page: &str) -> Vec<&str> {
    page.split("<tr data-href=\"/calls/").skip(1).map(|row| row.split('"').next().unwrap()).collect()
}

#[actix::test]
async fn the_history_has_the_calls_of_its_filters() {
    let world = World::new().await;
    let known = world.known_caller(1).await;
    let talked = world.ring("pbx-1", &known).await;
    world.completed(talked).await;
    world.post_3cx(&incoming("pbx-2", "anonymous")).await;
    let refused = "select id from call_log where threecx_call_id = 'pbx-2' and state = 'released'";
    let refused = world.until_row("the second call is refused", refused, &[]).await;
    let refused: uuid::Uuid = refused.get(0);
    let (talked, refused) = (talked.to_string(), refused.to_string());
    let session = Session::begin(&world, KEY).await;
    for (filter, expected) in [
        ("", vec![refused.as_str(), &talked]),
        ("status=completed&line=&cause=", vec![&talked]),
        ("status=failed&since=-1h", vec![&refused]),
        ("since=2199-01-01", vec![]),
        ("until=-1h", vec![]),
        ("told=goodbye", vec![&talked]),
        ("threecx_call_id=pbx-2", vec![&refused]),
        ("canary=true", vec![]),
        (&format!("caller_id=%2B{}", &known[1..]), vec![&talked]),
    ] {
        let page = session.page(&world, &format!("/calls?{filter}")).await;
        assert_eq!(rows(&page), expected, "{filter}");
        assert_eq!(page.contains("No call fits"), expected.is_empty(), "{filter}");
    }
    let page = session.page(&world, "/calls").await;
    assert!(page.contains("1 completed") && page.contains("1 failed"), "{page}");
    assert_eq!(page.matches(" credits<").count(), 1, "the call without a report has no cost: {page}");
    assert!(!page.contains(&known[4..]), "the number is masked");
    let first = session.page(&world, "/calls?limit=1").await;
    let next = first.split("rel=\"next\"").next().unwrap().rsplit("href=\"").next().unwrap();
    let next = next.split('"').next().unwrap().replace("&amp;", "&");
    assert_eq!(rows(&session.page(&world, &next).await), [talked.as_str()], "{next}");
    for (filter, words) in [
        ("cause=nonsense", "cause must be one of"),
        ("since=soon", "must be a time such as"),
        ("colour=red", "a filter is not known here"),
        ("caller_id=x", "write the number as"),
    ] {
        let shown = session.get(&world, &format!("/calls?{filter}")).await;
        assert_eq!(shown.status, 400);
        assert!(shown.body.contains(words) && shown.body.contains("id=\"filters\""), "{}", shown.body);
    }
    world.stop().await;
}

#[actix::test]
async fn numbers_are_shown_to_those_who_ask_and_each_look_is_audited() {
    let world = World::with(with_keys()).await;
    let known = world.known_caller(1).await;
    let call = world.ring("pbx-1", &known).await;
    world.completed(call).await;
    let looks = "select count(*) from audit_log where action in ('calls_seen', 'calls_exported')";
    let reader = Session::begin(&world, READER).await;
    for path in ["/calls", "/calls.csv"] {
        assert!(!reader.get(&world, path).await.body.contains(&known), "{path}");
    }
    assert_eq!(world.count(looks, &[]).await, 0);
    let session = Session::begin(&world, KEY).await;
    session.show_personal(&world).await;
    for path in ["/calls", "/calls.csv?line=default"] {
        assert!(session.get(&world, path).await.body.contains(&known), "{path}");
    }
    assert_eq!(world.count(looks, &[]).await, 2);
    let sql = "select detail from audit_log where action = 'calls_exported'";
    let detail: serde_json::Value = world.until_row("the export is audited", sql, &[]).await.get(0);
    assert_eq!(detail, json!({ "filters": ["line"] }), "names of filters, no values");
    world.stop().await;
}

#[actix::test]
async fn an_export_of_many_calls_is_whole_and_comes_in_pieces() {
    let world = World::new().await;
    world
        .execute(
            "insert into call_log (caller_id, called_number, line, status, cause, threecx_call_id, call_started_at,
                call_ended_at)
             select '+3161' || (1000000 + n), '+442070000001', '=1+1', 'completed', 'completed', '@' || n,
                now() - n * interval '1 second', now() - n * interval '1 second' + interval '90 seconds'
             from generate_series(1, 20000) n",
            &[],
        )
        .await;
    let session = Session::begin(&world, KEY).await;
    let shown = session.get(&world, "/calls.csv").await;
    assert_eq!((shown.status, shown.media_type.as_str()), (200, "text/csv; charset=utf-8; header=present"));
    let mut table = csv::Reader::from_reader(shown.body.as_bytes());
    let headers = table.headers().unwrap().clone();
    let place = |name: &str| headers.iter().position(|column| column == name).unwrap();
    let (line, pbx_id, caller, seconds) =
        (place("line"), place("threecx_call_id"), place("caller_id"), place("call_seconds"));
    assert_eq!(headers.len(), 21);
    for (n, record) in (1..).zip(table.records()) {
        let record = record.unwrap();
        assert_eq!(
            (&record[line], &record[pbx_id]),
            ("'=1+1", format!("'@{n}").as_str()),
            "the newest first"
        );
        assert!(record[caller].starts_with("+31*") && &record[seconds] == "90", "{record:?}");
        assert!(n <= 20_000);
    }
    assert_eq!(shown.body.lines().count(), 20_001);
    let some = session.get(&world, "/calls.csv?threecx_call_id=%407").await;
    assert_eq!(some.body.lines().count(), 2);
    assert_eq!(session.get(&world, "/calls.csv?cause=nonsense").await.status, 400);
    world.execute("delete from call_log", &[]).await;
    world.stop().await;
}
