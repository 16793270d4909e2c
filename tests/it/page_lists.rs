//! The pages of callers, lines, webhooks and the audit log.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::callers::with_keys;
use crate::page_session::Session;
use crate::support::{KEY, World};

const READER: &str = "reader-key-0123456789abcdef0123456789abcdef";
const OPERATOR: &str = "operator-key-0123456789abcdef0123456789abcd";

#[actix::test]
async fn callers_are_masked_until_numbers_are_asked_for() {
    let world = World::with(with_keys()).await;
    let number = world.known_caller(1).await;
    let call = world.ring("pbx-1", &number).await;
    world.completed(call).await;
    let reader = Session::begin(&world, READER).await;
    let page = reader.page(&world, "/callers").await;
    assert!(page.contains("1 use, the last ") && page.contains("agreed ") && page.contains("***"), "{page}");
    let digits = &number[1..];
    assert!(!page.contains(digits) && !page.contains("/api/v1/"), "no number, not in a path either: {page}");
    let admin = Session::begin(&world, KEY).await;
    assert!(!admin.page(&world, "/callers").await.contains(digits));
    admin.show_personal(&world).await;
    let page = admin.page(&world, "/callers").await;
    let path = format!("/api/v1/cache/%2B{digits}");
    assert!(page.contains(&number) && page.contains(&path), "{page}");
    assert!(page.contains(&format!("/api/v1/callers/%2B{digits}/sample")), "{page}");
    assert!(admin.page(&world, &format!("/callers?prefix=%2B{}", &digits[..4])).await.contains(&number));
    assert!(admin.page(&world, "/callers?prefix=%2B999").await.contains("No caller has a voice yet"));
    let looks = "select count(*) from audit_log where action = 'callers_seen'";
    assert_eq!(world.count(looks, &[]).await, 3);
    assert_eq!(reader.change(&world, "DELETE", &path, &Value::Null).await.0, 403);
    assert_eq!(admin.change(&world, "DELETE", &path, &Value::Null).await.0, 200);
    assert!(admin.page(&world, "/callers").await.contains("none: cloned at the next call"));
    world.stop().await;
}

#[actix::test]
async fn a_line_is_written_published_and_rolled_back_from_its_page() {
    let world = World::with(with_keys()).await;
    let (reader, admin) = (Session::begin(&world, READER).await, Session::begin(&world, KEY).await);
    assert!(reader.page(&world, "/lines").await.contains("No number has a line of its own"));
    let (path, api) = ("/lines/%2B12025550177", "/api/v1/lines/%2B12025550177");
    assert_eq!(reader.get(&world, path).await.status, 404);
    assert!(admin.page(&world, path).await.contains("The first version makes one"));
    let version = |agent: &str, publish: bool| {
        json!({ "settings": { "agent_id": agent, "language": "de" },
        "publish": publish, "note": "<b>try</b>" })
    };
    assert_eq!(reader.change(&world, "PUT", api, &version("a", true)).await.0, 403);
    assert_eq!(admin.change(&world, "PUT", api, &version("agent_one", true)).await.0, 200);
    assert_eq!(admin.change(&world, "PUT", api, &version("agent_two", false)).await.0, 200);
    let page = admin.page(&world, path).await;
    for words in [
        "Version 1 counts",
        "draft",
        "published",
        "agent_two",
        "&lt;b&gt;try&lt;/b&gt;",
        "/publish\"",
        "value=\"agent_two\"",
        "id=\"next-version\"",
    ] {
        assert!(page.contains(words), "{words} in {page}");
    }
    let seen = reader.page(&world, path).await;
    assert!(
        seen.contains("agent_one") && !seen.contains("data-method") && !seen.contains("next-version"),
        "{seen}"
    );
    let order = json!({ "version": 2, "percent": 10 });
    assert_eq!(admin.change(&world, "POST", &format!("{api}/publish"), &order).await.0, 200);
    assert!(admin.page(&world, "/lines").await.contains("version 2 for 10 % of callers"));
    assert_eq!(admin.change(&world, "POST", &format!("{api}/rollback"), &Value::Null).await.0, 200);
    assert!(!admin.page(&world, path).await.contains("is on trial"));
    world.stop().await;
}

#[actix::test]
async fn a_quarantined_webhook_says_why_and_is_replayed() {
    let world = World::with(with_keys()).await;
    let (reader, operator) = (Session::begin(&world, READER).await, Session::begin(&world, OPERATOR).await);
    assert!(reader.page(&world, "/webhooks").await.contains("No webhook fits"));
    let (id, body) = (Uuid::now_v7(), br#"{"event_type":"CallEnded","call_id":"gone"}"#.to_vec());
    let sql = "insert into webhooks (id, kind, provider_id, event_timestamp, body_sha256, received_at, state,
        outcome, reason, body) values ($1, '3cx', 'gone', now(), 'x', now(), 'quarantined', 'bad_json',
        'line 1 <i>ends</i>', $2)";
    world.execute(sql, &[&id, &body]).await;
    let seen = reader.page(&world, "/webhooks").await;
    assert!(seen.contains("line 1 &lt;i&gt;ends&lt;/i&gt;") && !seen.contains("/replay"), "{seen}");
    let replay = format!("/api/v1/webhooks/{id}/replay");
    assert!(operator.page(&world, "/webhooks?state=quarantined").await.contains(&replay));
    assert_eq!(reader.change(&world, "POST", &replay, &Value::Null).await.0, 403);
    assert_eq!(operator.change(&world, "POST", &replay, &Value::Null).await.0, 200);
    assert!(operator.page(&world, "/webhooks?state=quarantined").await.contains("No webhook fits"));
    assert!(operator.page(&world, "/webhooks?state=replayed").await.contains("replayed"));
    world.stop().await;
}

#[actix::test]
async fn a_refused_webhook_is_shown_with_its_reason() {
    let world = World::with(with_keys()).await;
    let (reader, operator) = (Session::begin(&world, READER).await, Session::begin(&world, OPERATOR).await);
    assert!(reader.page(&world, "/webhooks").await.contains("No webhook was refused."));
    let body = r#"{"event_type":"CallEnded","call_id":"<b>1</b>"}"#.to_owned();
    let refused = world.post("/webhook/3cx", &[("x-3cx-signature", "t=1,v0=00")], body).await;
    assert_eq!(refused.0, 401, "{}", refused.1);
    let code = refused.1["code"].as_str().unwrap();
    let title = refused.1["title"].as_str().unwrap();
    let page = operator.page(&world, "/webhooks").await;
    assert!(page.contains(title) && page.contains("127.0.0.1"), "{code}: {page}");
    let page = reader.page(&world, "/webhooks").await;
    assert!(page.contains("one sender") && !page.contains("127.0.0.1"), "{page}");
    world.stop().await;
}

#[actix::test]
async fn the_audit_log_is_for_administrators() {
    let world = World::with(with_keys()).await;
    let (operator, admin) = (Session::begin(&world, OPERATOR).await, Session::begin(&world, KEY).await);
    let shown = operator.get(&world, "/audit").await;
    assert!(shown.status == 403 && shown.body.contains("scope admin"), "{}", shown.body);
    assert!(!operator.page(&world, "/").await.contains("href=\"/audit\""), "no way that leads nowhere");
    let page = admin.page(&world, "/audit").await;
    assert!(page.contains("signed in") && page.contains("operator") && page.contains("anna"), "{page}");
    for _ in 0..60 {
        let row = "insert into audit_log (id, at, who, action) values ($1, now(), 'test', 'looked')";
        world.execute(row, &[&Uuid::now_v7()]).await;
    }
    let page = admin.page(&world, "/audit").await;
    let next = page.split("<a href=\"/audit?cursor=").nth(1).unwrap().split('"').next().unwrap();
    assert!(admin.page(&world, &format!("/audit?cursor={next}")).await.contains("signed in"));
    world.stop().await;
}
