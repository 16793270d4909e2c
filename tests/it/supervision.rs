//! Live supervision: operators hear both directions of a bridged call, tell its agent something, and are audited.
//! Nobody hears a caller who has not heard the notice.

use std::time::Duration;

use actix_codec::Framed;
use awc::error::WsClientError;
use awc::{BoxedSocket, ws};
use futures_util::{SinkExt as _, StreamExt as _};
use precall_simulators::threecx::{NewCall, Outcome, Speaks};
use serde_json::{Value, json};
use tokio::time::timeout;
use uuid::Uuid;

use crate::callers::order_with;
use crate::live_bridge::{say, waits};
use crate::live_bridge_persons::{SALES, turns_out};
use crate::support::harness::client::once;
use crate::support::{KEY, PbxPlan, PbxWorld, Sound, World, tone_ms, until};

const PATIENCE: Duration = Duration::from_secs(20);
/// What the caller says: no note of the music and no voice of an agent is near it.
const CALLER_HZ: u32 = 1_900;

fn supervised(plan: PbxPlan) -> PbxPlan {
    plan.env("SUPERVISION", "true").env("NOTICE_MENTIONS_SUPERVISION", "true")
}

/// An operator who listens.
struct Ear {
    socket: Framed<BoxedSocket, ws::Codec>,
    begin: Value,
    frames: Vec<(u8, u32, Vec<u8>)>,
    end: Option<Value>,
}

impl Ear {
    async fn open(world: &World, call: Uuid, key: &str) -> Result<Self, WsClientError> {
        let url = format!("{}/api/v1/calls/{call}/listen", world.app.url());
        let request = world.http.ws(url).header("authorization", format!("Bearer {key}"));
        let (_, socket) = request.connect().await?;
        let mut ear = Self { socket, begin: Value::Null, frames: Vec::new(), end: None };
        ear.until("the first message", |ear| ear.begin.is_object()).await;
        Ok(ear)
    }

    /// Reads until the condition holds.
    async fn until(&mut self, what: &str, is: impl Fn(&Self) -> bool) {
        let reading = async {
            while !is(self) {
                match self.socket.next().await.expect("the socket is open").unwrap() {
                    ws::Frame::Text(text) => {
                        let message: Value = serde_json::from_slice(&text).unwrap();
                        match message["type"].as_str() {
                            Some("begin") => self.begin = message,
                            Some("end") => self.end = Some(message),
                            _ => {}
                        }
                    }
                    ws::Frame::Binary(bytes) => {
                        let position = u32::from_le_bytes(bytes[1..5].try_into().unwrap());
                        self.frames.push((bytes[0], position, bytes[5..].to_vec()));
                    }
                    ws::Frame::Ping(text) => self.socket.send(ws::Message::Pong(text)).await.unwrap(),
                    ws::Frame::Close(_) => assert!(self.end.is_some(), "closed without a reason"),
                    ws::Frame::Pong(_) | ws::Frame::Continuation(_) => {}
                }
            }
        };
        timeout(PATIENCE, reading).await.unwrap_or_else(|_| panic!("not in time: {what}"));
    }

    fn pcm(&self, channel: u8) -> Vec<u8> {
        self.frames.iter().filter(|frame| frame.0 == channel).flat_map(|frame| frame.2.clone()).collect()
    }

    /// What the caller hears.
    fn agent(&self) -> Sound {
        Sound::of(&self.pcm(1))
    }

    /// How many milliseconds of this tone the caller said.
    fn caller_ms(&self, hz: u32) -> usize {
        let pcm = self.pcm(0);
        if pcm.is_empty() { 0 } else { tone_ms(&[vec![0; 44], pcm].concat(), hz) }
    }

    async fn ends(mut self) -> Value {
        self.until("the last message", |ear| ear.end.is_some()).await;
        self.end.unwrap()
    }
}

/// Asks for the WebSocket. Returns the status and the code of the refusal.
async fn refused(world: &World, call: Uuid, key: &str, origin: Option<&str>) -> (u16, String) {
    let address = world.app.url().trim_start_matches("http://").to_owned();
    let origin = origin.map(|origin| format!("origin: {origin}\r\n")).unwrap_or_default();
    let request = format!(
        "GET /api/v1/calls/{call}/listen HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {key}\r\n{origin}\
         connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
         sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    let answer = once(address.parse().unwrap(), request.as_bytes()).await.unwrap();
    let problem = answer.json().unwrap();
    (answer.status, problem["code"].as_str().unwrap().to_owned())
}

async fn tells(world: &World, key: &str, call: Uuid, action: &str, text: &str) -> (u16, Value) {
    let path = format!("/api/v1/calls/{call}/{action}");
    order_with(world, key, "POST", &path, Some(&json!({ "text": text }))).await
}

async fn state(world: &World, call: Uuid) -> Value {
    let (status, state) = world.get(&format!("/api/v1/calls/{call}/supervision")).await;
    assert_eq!(status, 200, "{state}");
    state
}

/// Who did it, and the detail of the row.
async fn audited(world: &World, action: &str, call: Uuid) -> Vec<(String, Option<Value>)> {
    let sql = "select who, detail from audit_log where action = $1 and subject = $2 order by id";
    let rows = world.client.query(sql, &[&action, &call]).await.unwrap();
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}

async fn key_of(world: &World, name: &str, scopes: &[&str]) -> (String, String) {
    let order = json!({ "name": name, "scopes": scopes });
    let (status, made) = order_with(world, KEY, "POST", "/api/v1/keys", Some(&order)).await;
    assert_eq!(status, 201, "{made}");
    (made["key"].as_str().unwrap().to_owned(), made["id"].as_str().unwrap().to_owned())
}

/// A caller who speaks and talks with the agent.
async fn talks(world: &PbxWorld) -> (String, Uuid) {
    let caller = world.known_caller(1).await;
    let pbx_id =
        world.rings_so(NewCall { speaks: Speaks::Tone(CALLER_HZ), ..NewCall::from(caller.as_str()) });
    let call = world.call_of(&pbx_id).await;
    world.in_state(call, "conversing").await;
    (pbx_id, call)
}

#[actix::test]
async fn an_operator_hears_both_directions_and_tells_the_agent_something() {
    let script = vec![say(400), waits(1_500), say(600), waits(60_000)];
    let world = PbxWorld::with(supervised(PbxPlan::default().bridge(script))).await;
    let (desk, _) = key_of(&world, "desk", &["listen", "operate"]).await;
    let (pbx_id, call) = talks(&world).await;
    assert_eq!(
        state(&world, call).await,
        json!({ "id": call, "listeners": 0, "may_listen": true, "listen_refusal": null, "may_tell": true,
            "tell_refusal": null })
    );
    let mut ear = Ear::open(&world, call, &desk).await.unwrap();
    assert_eq!(
        ear.begin,
        json!({ "type": "begin", "call": call, "rate": 8_000, "format": "pcm_s16le",
            "channels": ["caller", "agent"] })
    );
    let began = audited(&world, "listen_began", call).await;
    assert_eq!(began, [("desk".to_owned(), None)], "the row is there before the first frame");
    assert_eq!(state(&world, call).await["listeners"], 1);
    // What a client sends is no HTTP: line feeds in it do not matter, nor anything else.
    for _ in 0..50 {
        ear.socket.send(ws::Message::Text("\n".repeat(500).into())).await.unwrap();
    }

    let (status, answer) =
        tells(&world, &desk, call, "tell", "The order of the caller was sent today.").await;
    assert_eq!((status, &answer["status"]), (202, &json!("accepted")), "{answer}");
    let (status, answer) = tells(&world, &desk, call, "say", "Your parcel comes tomorrow.").await;
    assert_eq!(status, 202, "{answer}");
    let talk = world.talk(call, 1).await;
    let spoken = world.in_voice(&talk.voice_id.unwrap(), 580).await;
    ear.until("the agent's sentence", |ear| ear.agent().contains(&spoken)).await;
    ear.until("the caller", |ear| ear.caller_ms(CALLER_HZ) >= 200).await;
    assert!(world.heard(&pbx_id).contains(&ear.agent().end(500)), "the caller heard something else");
    for channel in [0, 1] {
        let places: Vec<u32> = ear.frames.iter().filter(|f| f.0 == channel).map(|f| f.1).collect();
        assert!(places.is_sorted() && places.len() > 20, "{channel}: {places:?}");
    }

    until("the agent has both", || async { !world.talks(call)[0].user_messages.is_empty() }).await;
    let talk = &world.talks(call)[0];
    assert_eq!(talk.contextual_updates, ["The order of the caller was sent today."]);
    let said = &talk.user_messages[0];
    assert!(said.contains("word for word") && said.ends_with(" Your parcel comes tomorrow."), "{said}");
    assert_eq!(talk.violations, [] as [String; 0]);

    world.hangs_up(&pbx_id);
    let end = ear.ends().await;
    assert_eq!((&end["reason"], &end["dropped_frames"]), (&json!("call_ended"), &json!(0)), "{end}");
    world.released(call).await;
    until("the end is audited", || async { audited(&world, "listen_ended", call).await.len() == 1 }).await;
    let (who, detail) = audited(&world, "listen_ended", call).await.remove(0);
    let detail = detail.unwrap();
    assert_eq!((who.as_str(), &detail["reason"]), ("desk", &json!("call_ended")));
    assert!(detail["seconds"].is_u64() && detail["dropped_frames"] == 0, "{detail}");
    for (action, length) in [("call_agent_told", 39), ("call_agent_say_asked", 27)] {
        let expected = [("desk".to_owned(), Some(json!({ "characters": length })))];
        assert_eq!(audited(&world, action, call).await, expected, "no word of it");
    }
    let sql =
        "select event, pii from call_events where call = $1 and event ->> 'kind' = 'agent_told' order by seq";
    let rows = world.client.query(sql, &[&call]).await.unwrap();
    let events: Vec<Value> = rows.iter().map(|row| row.get(0)).collect();
    let told = |number: u8, what: &str| {
        let (kind, by) = ("agent_told", "desk");
        json!({ "v": 1, "kind": kind, "number": number, "what": what, "by": by })
    };
    assert_eq!(events, [told(1, "context"), told(2, "say")]);
    let words: Vec<Value> = rows.iter().map(|row| row.get(1)).collect();
    assert_eq!(words[1], json!({ "text": "Your parcel comes tomorrow." }));

    let (status, answer) = tells(&world, &desk, call, "tell", "Too late.").await;
    assert_eq!((status, &answer["code"]), (409, &json!("call_not_live")), "{answer}");
    assert_eq!(refused(&world, call, &desk, None).await, (409, "call_not_live".to_owned()));
    world.stop().await;
}

#[actix::test]
async fn supervision_is_off_by_default_and_where_the_notice_does_not_mention_it() {
    for plan in [PbxPlan::default(), PbxPlan::default().env("SUPERVISION", "true")] {
        let world = PbxWorld::with(plan.bridge(vec![say(400), waits(30_000)])).await;
        let (_, call) = talks(&world).await;
        let off = (409, "supervision_off".to_owned());
        assert_eq!(refused(&world, call, KEY, None).await, off);
        for action in ["tell", "say"] {
            let (status, answer) = tells(&world, KEY, call, action, "Hello").await;
            assert_eq!((status, answer["code"].as_str()), (409, Some("supervision_off")), "{answer}");
        }
        let state = state(&world, call).await;
        assert_eq!(
            (&state["may_listen"], &state["tell_refusal"]),
            (&json!(false), &json!("supervision_off"))
        );
        assert_eq!(audited(&world, "listen_began", call).await, []);
        world.operator_ends(call).await;
        world.stop().await;
    }
}

#[actix::test]
async fn nobody_listens_before_the_caller_heard_the_notice() {
    // The simulator speaks a character in 66 ms.
    let notice = "This call is taped, and a person of ours may listen to it.";
    let plan =
        supervised(PbxPlan::default().bridge(vec![say(400), waits(30_000)])).env("NOTICE_MESSAGE", notice);
    let world = PbxWorld::with(plan).await;
    let caller = world.known_caller(1).await;
    let pbx_id = world.rings(&caller);
    let call = world.call_of(&pbx_id).await;
    world.in_state(call, "greeting").await;
    assert_eq!(refused(&world, call, KEY, None).await, (409, "notice_not_heard".to_owned()));
    let (status, answer) = tells(&world, KEY, call, "tell", "Hello").await;
    assert_eq!((status, answer["code"].as_str()), (409, Some("notice_not_heard")), "{answer}");
    let heard = "select 1 from call_events where call = $1 and event ->> 'kind' = 'notice_ended'";
    assert!(world.client.query(heard, &[&call]).await.unwrap().is_empty(), "the notice is over");
    world.until_row("the notice is heard", heard, &[&call]).await;
    let mut ear = Ear::open(&world, call, KEY).await.unwrap();
    ear.until("audio", |ear| !ear.pcm(1).is_empty()).await;
    world.operator_ends(call).await;
    assert_eq!(ear.ends().await["reason"], "call_ended");
    world.stop().await;
}

#[actix::test]
async fn listening_ends_when_the_caller_goes_to_a_person() {
    let plan = supervised(PbxPlan::default().bridge(vec![say(400), waits(30_000)]));
    let world = PbxWorld::with(plan.env("TRANSFER_DESTINATIONS", &format!("sales={SALES}"))).await;
    world.pbx.set_routeto(vec![turns_out(SALES, Outcome::Answered)]);
    let (_, call) = talks(&world).await;
    let mut ear = Ear::open(&world, call, KEY).await.unwrap();
    let path = format!("/api/v1/calls/{call}/transfer");
    let (status, _) = order_with(&world, KEY, "POST", &path, Some(&json!({ "destination": "sales" }))).await;
    assert_eq!(status, 202);
    let music = world.hold.start(200);
    ear.until("the hold music", |ear| ear.agent().contains(&music)).await;
    let (status, answer) = tells(&world, KEY, call, "tell", "Hello").await;
    assert_eq!((status, answer["code"].as_str()), (409, Some("not_conversing")), "{answer}");
    assert_eq!(ear.ends().await["reason"], "handed_over");
    world.released(call).await;
    world.stop().await;
}

#[actix::test]
async fn a_listener_that_does_not_read_delays_nothing_and_is_given_up() {
    let script = vec![say(2_000), waits(60_000)];
    let world = PbxWorld::with(supervised(PbxPlan::default().bridge(script))).await;
    let (pbx_id, call) = talks(&world).await;
    let mut deaf = Vec::new();
    for _ in 0..4 {
        deaf.push(Ear::open(&world, call, KEY).await.unwrap());
    }
    assert_eq!(refused(&world, call, KEY, None).await, (409, "too_many_listeners".to_owned()));
    until("they are given up", || async { audited(&world, "listen_ended", call).await.len() == 4 }).await;
    for (_, detail) in audited(&world, "listen_ended", call).await {
        assert_eq!(detail.unwrap()["reason"], "client_silent");
    }
    assert_eq!(state(&world, call).await["listeners"], 0);
    world.audio_never_stopped(&pbx_id, "listeners that read nothing do not hold the call up");
    assert_eq!(world.report(&pbx_id).overflow_bytes, 0);
    world.operator_ends(call).await;
    world.stop().await;
}

#[actix::test]
async fn scopes_pages_and_revoked_keys_are_minded() {
    let world = PbxWorld::with(supervised(PbxPlan::default().bridge(vec![say(400), waits(30_000)]))).await;
    let (_, call) = talks(&world).await;
    let (listener, id) = key_of(&world, "listener", &["listen"]).await;
    let (operator, _) = key_of(&world, "operator", &["operate"]).await;
    let forbidden = (403, "forbidden".to_owned());
    assert_eq!(refused(&world, call, &operator, None).await, forbidden);
    for key in [&listener, &operator] {
        for action in ["tell", "say"] {
            let (status, answer) = tells(&world, key, call, action, "Hello").await;
            assert_eq!((status, answer["code"].as_str()), (403, Some("forbidden")), "{answer}");
        }
    }
    let not_allowed = (403, "origin_not_allowed".to_owned());
    assert_eq!(refused(&world, call, &listener, Some("https://evil.example")).await, not_allowed);
    let (status, answer) = world.get(&format!("/api/v1/calls/{call}/listen")).await;
    assert_eq!((status, answer["code"].as_str()), (426, Some("upgrade_required")), "{answer}");
    for text in ["", " ", "a\u{7}b", &"x".repeat(1_001)] {
        let (status, answer) = tells(&world, KEY, call, "tell", text).await;
        assert_eq!((status, answer["code"].as_str()), (400, Some("bad_field")), "{answer}");
    }
    let ear = Ear::open(&world, call, &listener).await.unwrap();
    let (status, _) = order_with(&world, KEY, "DELETE", &format!("/api/v1/keys/{id}"), None).await;
    assert_eq!(status, 204);
    assert_eq!(ear.ends().await["reason"], "key_refused");
    world.operator_ends(call).await;
    world.stop().await;
}
