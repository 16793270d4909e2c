//! What a check may look at without ringing anybody: the token, the client's own DN, its permissions.

use serde_json::json;

use super::Pbx;

const NO_LEG: &str = "/callcontrol/900/participants/0/stream";

#[actix_web::test]
async fn a_check_sees_the_dn_and_that_streams_are_permitted() {
    let pbx = Pbx::default().await;
    let seen = pbx.get("/callcontrol").await.json();
    assert_eq!((&seen[0]["dn"], &seen[0]["type"]), (&json!("900"), &json!("Wroutepoint")));
    assert_eq!(pbx.get("/callcontrol/901").await.status, 404, "a DN that is not there");
    assert_eq!(pbx.get(NO_LEG).await.status, 404, "permitted, but no such leg");
    assert_eq!(pbx.put("/sim/grants", &json!({"dn_type": "Wextension"})).await.status, 200);
    assert_eq!(pbx.get("/callcontrol/900").await.json()["type"], "Wextension");
    assert_eq!(pbx.put("/sim/grants", &json!({"dn_type": ""})).await.status, 400);
    assert_eq!(pbx.put("/sim/grants", &json!({"stream": true})).await.status, 400);
}

#[actix_web::test]
async fn what_is_not_granted_is_403() {
    let pbx = Pbx::default().await;
    pbx.put("/sim/grants", &json!({"streams": false})).await;
    let placed = pbx.rings();
    assert_eq!(pbx.get(NO_LEG).await.status, 403);
    assert_eq!(pbx.get(&super::stream_path(&placed)).await.status, 403);
    assert_eq!(pbx.post(&super::stream_path(&placed), &json!({})).await.status, 403);
    assert_eq!(pbx.get("/callcontrol").await.status, 200, "the rest is");

    pbx.put("/sim/grants", &json!({"call_control": false})).await;
    for path in ["/callcontrol", "/callcontrol/900", "/callcontrol/ws", NO_LEG] {
        assert_eq!(pbx.get(path).await.status, 403, "{path}");
    }
    assert_eq!(pbx.ask_token().await.status, 200, "a token is still given");
}
