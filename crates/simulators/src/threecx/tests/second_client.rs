//! A second API client with a route point of its own, which calls that of the first.

use serde_json::json;

use super::super::{Fault, Options, Outcome, SecondClient, Turn};
use super::{Chunk, Hearing, Pbx, SECRET, Speaker, options};
use crate::shared::test_client::eventually;

const OWN: &str = "/callcontrol/901";
const MAKE_CALL: &str = "/callcontrol/901/devices/sip%3A901%40127.0.0.1%3A5483/makecall";

async fn pbx() -> (Pbx, String) {
    let second = SecondClient { id: "901".to_owned(), secret: "other-secret".parse().unwrap() };
    let pbx = Pbx::with(Options { second_client: Some(second), ..options() }).await;
    let form = "client_id=901&client_secret=other-secret&grant_type=client_credentials";
    let answer = pbx.post_token("application/x-www-form-urlencoded", form.to_owned()).await;
    let token = answer.json()["access_token"].as_str().unwrap().to_owned();
    (pbx, token)
}

#[actix_web::test]
async fn each_client_has_its_own_token_and_sees_its_own_route_point() {
    let (mut pbx, second) = pbx().await;
    assert_eq!(pbx.get("/callcontrol").await.status, 200, "its token is still good");
    assert_eq!(pbx.get(OWN).await.status, 403);
    let wrong = format!("client_id=901&client_secret={SECRET}&grant_type=client_credentials");
    assert_eq!(pbx.post_token("application/x-www-form-urlencoded", wrong).await.status, 401);
    pbx.token = second;
    let seen = pbx.get("/callcontrol").await.json();
    assert_eq!((seen.as_array().unwrap().len(), &seen[0]["dn"]), (1, &json!("901")));
    assert_eq!(seen[0]["type"], "Wroutepoint");
    assert_eq!(pbx.get("/callcontrol/900/participants").await.status, 403);
    assert_eq!(pbx.get("/callcontrol/ws").await.status, 403);
}

#[actix_web::test]
async fn it_calls_the_first_client_and_hears_what_that_one_plays() {
    let (mut pbx, second) = pbx().await;
    let first = std::mem::replace(&mut pbx.token, second.clone());
    let refused = pbx.post(MAKE_CALL, &json!({ "destination": "100" })).await.json();
    assert_eq!(refused["reason"], "UnknownDestination", "{refused}");
    let made = pbx.post(MAKE_CALL, &json!({ "destination": "900", "timeout": 5 })).await.json();
    let own = made["result"]["id"].as_u64().unwrap();
    assert_eq!((&made["result"]["dn"], &made["result"]["status"]), (&json!("901"), &json!("Dialing")));

    pbx.token = first.clone();
    let leg = eventually("the first client has a leg", || async {
        pbx.get("/callcontrol/900/participants").await.json().get(0).cloned()
    })
    .await;
    assert_eq!((&leg["party_dn"], &leg["party_dn_type"]), (&json!("901"), &json!("Wroutepoint")), "{leg}");
    assert_eq!(leg["callid"], made["result"]["callid"]);
    let path = format!("/callcontrol/900/participants/{}/stream", leg["id"]);
    let mut speaker = Speaker::open(&pbx, &path).await;

    pbx.token = second;
    let leg = format!("{OWN}/participants/{own}");
    eventually("its leg is connected", || async {
        (pbx.get(&leg).await.json()["status"] == "Connected").then_some(())
    })
    .await;
    let mut hearing = eventually("its stream is ready", || async {
        let hearing = Hearing::open(&pbx, &format!("{leg}/stream")).await;
        (hearing.status == 200).then_some(hearing)
    })
    .await;
    assert!(speaker.say(&[0x55; 3_200]).await);
    let mut heard = Vec::new();
    while !heard.windows(320).any(|piece: &[u8]| piece == [0x55; 320]) {
        let Chunk::Sound(sound) = hearing.chunk().await else {
            panic!("the stream ended: {} bytes", heard.len())
        };
        heard.extend(sound);
    }
    assert_eq!(pbx.post(&format!("{leg}/drop"), &json!({})).await.status, 200);
    pbx.token = first;
    assert_eq!(pbx.get("/callcontrol/900/participants").await.json(), json!([]));
}

#[actix_web::test]
async fn a_call_that_is_not_answered_and_one_that_the_pbx_refuses() {
    let (mut pbx, second) = pbx().await;
    pbx.token = second;
    pbx.simulator.set_makecall(vec![Turn { outcome: Outcome::Busy, after_ms: Some(20), ..Turn::default() }]);
    let made = pbx.post(MAKE_CALL, &json!({ "destination": "900" })).await.json();
    let leg = format!("{OWN}/participants/{}", made["result"]["id"]);
    eventually("its leg is gone", || async { (pbx.get(&leg).await.status == 404).then_some(()) }).await;
    pbx.simulator.set_faults(vec![Fault { status: Some(422), ..Fault::on("/callcontrol/901/devices") }]);
    assert_eq!(pbx.post(MAKE_CALL, &json!({ "destination": "900" })).await.status, 422);
}
