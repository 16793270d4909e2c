//! Tests of the feed with a PBX that loses connections, stalls, restarts and refuses.
#![allow(clippy::unwrap_used, clippy::panic)] // A failing test may panic.

use std::fmt::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix::{Actor, Addr, Arbiter, Context, Handler, Message};
use precall_providers::test_peers::scripted_pbx::{Answer, ScriptedPbx, leg, run, text_frame};
use precall_providers::threecx::access_token::{AccessTokens, TokenPublisher};
use precall_providers::threecx::socket::SocketTiming;
use precall_providers::threecx::token_keeper::KeeperTiming;
use serde_json::{Value, json};
use slog::{Drain, KV, Logger, Never, OwnedKVList, Record, Serializer, o};
use tokio::sync::mpsc;

use super::{FeedPace, FeedSettings, PbxFeed, StopFeed};
use crate::durability::persistence_state::PersistenceState;
use crate::pbx::leg_events::{PbxLegChange, PbxLegEvent, Synced};
use crate::pbx::pbx_health::{PbxState, TokenState};
use crate::runtime::restart_in_place::start_in_place;

/// Receives the reports of the feed as text.
struct Listener(mpsc::UnboundedSender<String>);

impl Actor for Listener {
    type Context = Context<Self>;
}

impl Handler<PbxLegEvent> for Listener {
    type Result = ();

    fn handle(&mut self, news: PbxLegEvent, _: &mut Context<Self>) {
        let id = news.leg.participant;
        let _ = self.0.send(match news.what {
            PbxLegChange::Seen(seen) => format!("seen {id} {} {}", seen.status.word(), seen.caller_text()),
            PbxLegChange::Gone => format!("gone {id}"),
            PbxLegChange::Keys(keys) => format!("keys {id} {keys}"),
        });
    }
}

impl Handler<Synced> for Listener {
    type Result = ();

    fn handle(&mut self, synced: Synced, _: &mut Context<Self>) {
        let legs: Vec<_> = synced.legs.iter().map(|leg| leg.participant.0).collect();
        let _ = self.0.send(format!("synced {legs:?}"));
    }
}

/// Makes the feed panic.
#[derive(Message)]
#[rtype(result = "()")]
struct Explode;

impl Handler<Explode> for PbxFeed {
    type Result = ();

    fn handle(&mut self, _: Explode, _: &mut Context<Self>) {
        panic!("on demand");
    }
}

/// Stores log lines with their values.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<String>>);

struct Values<'a>(&'a mut String);

impl Serializer for Values<'_> {
    fn emit_arguments(&mut self, key: slog::Key, value: &std::fmt::Arguments<'_>) -> slog::Result {
        write!(self.0, " {key}={value}").map_err(slog::Error::from)
    }
}

impl Drain for Lines {
    type Ok = ();
    type Err = Never;

    fn log(&self, record: &Record<'_>, values: &OwnedKVList) -> Result<(), Never> {
        let mut lines = self.0.lock().unwrap();
        writeln!(lines).unwrap();
        write!(lines, "{} {}", record.level(), record.msg()).unwrap();
        record.kv().serialize(record, &mut Values(&mut lines)).unwrap();
        values.serialize(record, &mut Values(&mut lines)).unwrap();
        Ok(())
    }
}

struct Scene {
    pbx: ScriptedPbx,
    feed: Addr<PbxFeed>,
    received: mpsc::UnboundedReceiver<String>,
    tokens: AccessTokens,
    state: Arc<PbxState>,
    lines: Lines,
}

fn pace() -> FeedPace {
    let quick = (Duration::from_millis(5), Duration::from_millis(20));
    FeedPace {
        socket: SocketTiming::default(),
        keeper: KeeperTiming { apart: Duration::from_millis(5), ..KeeperTiming::default() },
        reconnect: quick,
        refused: quick,
        unsure_every: Duration::from_secs(3600),
        quiet_every: Duration::from_secs(3600),
        stable_after: Duration::ZERO,
        reconcile_every: Duration::from_secs(3600),
        hint_interval_min: Duration::from_millis(5),
        list_retry: quick,
    }
}

async fn scene(pace: FeedPace, legs: &[Value], prepare: impl FnOnce(&ScriptedPbx)) -> Scene {
    let pbx = ScriptedPbx::start().await;
    pbx.set_legs(legs);
    prepare(&pbx);
    let (tokens, token_publisher) = TokenPublisher::channel();
    let (sender, receiver) = mpsc::unbounded_channel();
    let listener = Listener(sender).start();
    let (state, lines) = (Arc::new(PbxState::default()), Lines::default());
    let feed = FeedSettings {
        settings: pbx.settings(Duration::from_secs(10)),
        tokens: tokens.clone(),
        token_publisher,
        inherited: None,
        news: listener.clone().recipient(),
        synced: listener.recipient(),
        state: Arc::clone(&state),
        persistence_state: Arc::new(PersistenceState::leading(None)),
        pace,
        log: Logger::root(lines.clone().fuse(), o!()),
    };
    let feed = start_in_place(&Arbiter::current(), move |_| PbxFeed::new(feed));
    Scene { pbx, feed, received: receiver, tokens, state, lines }
}

impl Scene {
    async fn expect(&mut self, expected: &[&str]) {
        for line in expected {
            assert_eq!(self.received.recv().await.unwrap(), *line);
        }
    }

    fn warnings(&self, with: &str) -> usize {
        let lines = self.lines.0.lock().unwrap();
        lines.lines().filter(|line| line.starts_with("WARN") && line.contains(with)).count()
    }
}

#[test]
fn a_leg_is_reported_from_its_first_event_to_its_last() {
    run(async {
        let mut scene = scene(pace(), &[], |_| {}).await;
        scene.expect(&["synced []"]).await;
        let asked: Vec<_> = scene.pbx.seen("").into_iter().map(|seen| seen.line).collect();
        assert_eq!(asked, ["POST /connect/token", "GET /callcontrol/ws", "GET /callcontrol"]);
        scene.pbx.set_legs(&[leg(5, "Ringing", "017112345678")]);
        scene.pbx.upsert(5);
        scene.expect(&["seen 5 Ringing 017112345678"]).await;
        scene.pbx.set_legs(&[leg(5, "Connected", "017112345678")]);
        scene.pbx.upsert(5);
        scene.expect(&["seen 5 Connected 017112345678"]).await;
        scene.pbx.event(2, "/callcontrol/900/participants/5", &json!({"dtmf_input": "1#"}));
        scene.expect(&["keys 5 1#"]).await;
        // Events of another DN and without a leg are ignored.
        scene.pbx.event(0, "/callcontrol/150/participants/6", &Value::Null);
        scene.pbx.event(0, "/callcontrol/900", &Value::Null);
        scene.pbx.set_legs(&[]);
        scene.pbx.remove(5);
        scene.expect(&["gone 5"]).await;
        assert!(scene.state.is_open() && scene.state.last_sync().is_some());
        assert_eq!((scene.state.legs(), scene.state.reconnects(), scene.state.last_error()), (0, 0, None));
        assert!(matches!(scene.state.token(), TokenState::Held { generation: 1, .. }));
        assert_eq!(scene.pbx.seen("GET /callcontrol/150").len(), 0);
        let lines = scene.lines.0.lock().unwrap();
        assert!(lines.contains("a leg is gone") && !lines.contains("12345678"), "{lines}");
        assert!(!lines.contains("token1") && !lines.contains("150") && !lines.contains("1#"), "{lines}");
    });
}

#[test]
fn pitfall_10_a_lost_connection_is_reopened_and_the_list_reports_missed_events() {
    run(async {
        let before = [leg(5, "Connected", "0171"), leg(6, "Connected", "0172")];
        let mut scene = scene(pace(), &before, |_| {}).await;
        scene.expect(&["seen 5 Connected 0171", "seen 6 Connected 0172", "synced [5, 6]"]).await;
        for answer in ["503 No", "502 No", "500 No"] {
            scene.pbx.script("GET /callcontrol/ws", Answer::Reply(answer, String::new()));
        }
        scene.pbx.script("GET /callcontrol/ws", Answer::Close);
        scene.pbx.set_legs(&[leg(6, "Connected", "0172"), leg(7, "Connected", "0173")]);
        scene.pbx.close_socket(1012);
        scene.expect(&["seen 7 Connected 0173", "gone 5", "synced [6, 7]"]).await;
        assert_eq!((scene.state.reconnects(), scene.pbx.seen("GET /callcontrol/ws").len()), (1, 6));
        scene.pbx.cut_socket();
        scene.expect(&["synced [6, 7]"]).await;
        assert!(scene.state.last_error().unwrap().1.contains("lost the 3CX event stream"));
    });
}

#[test]
fn pitfall_11_a_restarted_pbx_gives_the_same_id_to_another_call() {
    run(async {
        let mut scene = scene(pace(), &[leg(1, "Connected", "0171")], |_| {}).await;
        scene.expect(&["seen 1 Connected 0171", "synced [1]"]).await;
        scene.pbx.set_legs(&[]);
        scene.pbx.cut_socket();
        scene.expect(&["gone 1", "synced []"]).await;
        scene.pbx.set_legs(&[leg(1, "Connected", "0171")]);
        scene.pbx.upsert(1);
        scene.expect(&["seen 1 Connected 0171"]).await;
    });
}

#[test]
fn a_silent_socket_is_reopened() {
    run(async {
        let socket = SocketTiming {
            ping_every: Duration::from_millis(20),
            doubt_after: Duration::from_millis(300),
            silence_max: Duration::from_millis(400),
        };
        let deaf = |pbx: &ScriptedPbx| pbx.script("GET /callcontrol/ws", Answer::Deaf);
        let mut scene = scene(FeedPace { socket, ..pace() }, &[], deaf).await;
        scene.expect(&["synced []"]).await;
        scene.pbx.set_legs(&[leg(5, "Connected", "")]);
        scene.expect(&["seen 5 Connected ", "synced [5]", "synced [5]"]).await;
        assert!(scene.state.last_error().unwrap().1.contains("open but silent for "));
    });
}

#[test]
fn a_silent_socket_is_replaced_by_lists_until_it_speaks_again() {
    run(async {
        let socket = SocketTiming {
            ping_every: Duration::from_millis(20),
            doubt_after: Duration::from_millis(100),
            silence_max: Duration::from_secs(3600),
        };
        let quick = FeedPace { socket, unsure_every: Duration::from_millis(40), ..pace() };
        let deaf = |pbx: &ScriptedPbx| pbx.script("GET /callcontrol/ws", Answer::Deaf);
        let mut scene = scene(quick, &[], deaf).await;
        scene.expect(&["synced []"]).await;
        // No event tells of it.
        scene.pbx.set_legs(&[leg(5, "Connected", "0171")]);
        while scene.received.recv().await.unwrap() != "seen 5 Connected 0171" {}
        // The second list after the start may have found it. While the socket is silent, lists come again and again.
        while scene.state.is_open() {
            scene.received.recv().await.unwrap();
        }
        assert!(scene.state.failing_since().is_some());
        assert!(scene.state.last_error().unwrap().1.contains("open but silent"));
        assert_eq!(scene.warnings("open but silent"), 1);
        scene.pbx.set_legs(&[]);
        while scene.received.recv().await.unwrap() != "gone 5" {}
        // Something is received: from now on events are believed again, and one more list finds what was missed.
        scene.pbx.set_legs(&[leg(6, "Ringing", "0172")]);
        scene.pbx.raw(text_frame(0x8a, b"precall"));
        while scene.received.recv().await.unwrap() != "seen 6 Ringing 0172" {}
    });
}

#[test]
fn while_the_socket_cannot_be_opened_lists_find_new_legs() {
    run(async {
        let quick = FeedPace { unsure_every: Duration::from_millis(40), ..pace() };
        let mut scene = scene(quick, &[], |_| {}).await;
        scene.expect(&["synced []"]).await;
        for _ in 0..10_000 {
            scene.pbx.script("GET /callcontrol/ws", Answer::Reply("503 No", String::new()));
        }
        scene.pbx.set_legs(&[leg(5, "Connected", "0171")]);
        scene.pbx.cut_socket();
        while scene.received.recv().await.unwrap() != "seen 5 Connected 0171" {}
        scene.pbx.set_legs(&[]);
        while scene.received.recv().await.unwrap() != "gone 5" {}
        assert!(!scene.state.is_open());
    });
}

#[test]
fn at_the_start_the_list_does_not_wait_for_a_socket_that_never_opens() {
    run(async {
        let quick = FeedPace { unsure_every: Duration::from_millis(40), ..pace() };
        let hangs = |pbx: &ScriptedPbx| pbx.script("GET /callcontrol/ws", Answer::Hang);
        let mut scene = scene(quick, &[leg(5, "Connected", "0171")], hangs).await;
        assert_eq!(scene.received.recv().await.unwrap(), "seen 5 Connected 0171");
        assert!(!scene.state.is_open());
    });
}

#[test]
fn a_new_token_opens_a_new_socket() {
    run(async {
        let mut scene = scene(pace(), &[leg(5, "Connected", "")], |_| {}).await;
        scene.expect(&["seen 5 Connected ", "synced [5]"]).await;
        scene.pbx.revoke();
        let refused = scene.tokens.current().await.unwrap();
        scene.tokens.instead_of(&refused).await.unwrap();
        scene.expect(&["synced [5]"]).await;
        let sockets = scene.pbx.seen("GET /callcontrol/ws");
        let tokens: Vec<_> = sockets.iter().map(|seen| seen.header("authorization").unwrap()).collect();
        assert_eq!(tokens, ["Bearer token1", "Bearer token2"]);
        assert_eq!(scene.state.last_error(), None, "a new token is no error");
    });
}

#[test]
fn a_reconcile_repairs_missed_events() {
    run(async {
        let quick = FeedPace { reconcile_every: Duration::from_millis(50), ..pace() };
        let mut scene = scene(quick, &[], |_| {}).await;
        scene.expect(&["synced []"]).await;
        scene.pbx.set_legs(&[leg(5, "Ringing", "")]);
        while scene.received.recv().await.unwrap() != "seen 5 Ringing " {}
        scene.pbx.set_legs(&[]);
        while scene.received.recv().await.unwrap() != "gone 5" {}
        // A missing leg is not reported again by a late event or an outdated list.
        scene.pbx.set_legs(&[leg(5, "Ringing", "")]);
        scene.pbx.upsert(5);
        scene.expect(&["synced []", "synced []", "synced []"]).await;
    });
}

#[test]
fn a_gap_in_the_sequence_requests_the_list() {
    run(async {
        let mut scene = scene(pace(), &[], |_| {}).await;
        scene.expect(&["synced []"]).await;
        scene.pbx.set_legs(&[leg(5, "Ringing", "")]);
        for sequence in [1, 3] {
            let frame = json!({"sequence": sequence, "event": {"event_type": 5, "entity": "/callcontrol"}});
            scene.pbx.raw(text_frame(0x81, frame.to_string().as_bytes()));
        }
        scene.expect(&["seen 5 Ringing ", "synced [5]"]).await;
        assert_eq!(scene.pbx.seen("GET /callcontrol/900").len(), 0);
    });
}

#[test]
fn a_failed_list_ends_no_leg() {
    run(async {
        let mut scene = scene(pace(), &[leg(5, "Connected", "")], |_| {}).await;
        scene.expect(&["seen 5 Connected ", "synced [5]"]).await;
        let nothing = json!([{"dn": "150", "participants": []}]).to_string();
        for answer in [
            Answer::Reply("500 No", String::new()),
            Answer::Reply("200 OK", "garbage".to_owned()),
            Answer::Reply("200 OK", "[]".to_owned()),
            Answer::Reply("200 OK", nothing),
            Answer::Close,
        ] {
            scene.pbx.script_exactly("GET /callcontrol", answer);
        }
        scene.pbx.cut_socket();
        scene.expect(&["synced [5]"]).await;
        assert_eq!(scene.state.resyncs_failed(), 5);
    });
}

#[test]
fn the_log_names_the_setting_to_change_once() {
    run(async {
        let forbidden = |pbx: &ScriptedPbx| {
            for _ in 0..5 {
                pbx.script("GET /callcontrol/ws", Answer::Reply("403 No", String::new()));
            }
            for _ in 0..5 {
                pbx.script("GET /callcontrol/ws", Answer::Reply("404 No", String::new()));
            }
        };
        let mut scene = scene(pace(), &[], forbidden).await;
        scene.expect(&["synced []"]).await;
        assert_eq!(scene.pbx.seen("GET /callcontrol/ws").len(), 11);
        assert_eq!(scene.warnings("licence"), 1);
        assert_eq!(scene.warnings("THREECX_BASE_URL"), 1);
        assert!(scene.lines.0.lock().unwrap().contains("3CX answers again"));
    });
}

#[test]
fn a_wrong_secret_is_logged_and_shown() {
    run(async {
        let wrong = |pbx: &ScriptedPbx| {
            for _ in 0..3 {
                let said = json!({"error": "invalid_client"}).to_string();
                pbx.script("POST /connect/token", Answer::Reply("400 No", said));
            }
        };
        let quick = (Duration::from_millis(5), Duration::from_millis(5));
        let keeper = KeeperTiming { retry_refused: quick, ..pace().keeper };
        let mut scene = scene(FeedPace { keeper, ..pace() }, &[], wrong).await;
        scene.expect(&["synced []"]).await;
        assert_eq!(scene.warnings("THREECX_CLIENT_SECRET"), 1);
        assert!(matches!(scene.state.token(), TokenState::Held { generation: 1, .. }));
    });
}

#[test]
fn a_panic_costs_a_connection_but_neither_the_token_nor_a_leg() {
    run(async {
        let mut scene = scene(pace(), &[leg(5, "Connected", "")], |_| {}).await;
        scene.expect(&["seen 5 Connected ", "synced [5]"]).await;
        scene.feed.do_send(Explode);
        scene.expect(&["synced [5]"]).await;
        assert_eq!(scene.pbx.seen("GET /callcontrol/ws").len(), 2);
        scene.pbx.revoke();
        scene.pbx.set_legs(&[]);
        scene.pbx.cut_socket();
        scene.expect(&["gone 5", "synced []"]).await;
        assert_eq!(scene.pbx.tokens_given(), 2);
    });
}

#[test]
fn a_stopped_feed_closes_its_socket() {
    run(async {
        let mut scene = scene(pace(), &[], |_| {}).await;
        scene.expect(&["synced []"]).await;
        scene.feed.send(StopFeed).await.unwrap();
        scene.pbx.until_closed().await;
        assert!(!scene.state.is_open());
    });
}
