//! The client against a PBX that refuses requests, drops responses and revokes tokens.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // A failed test is a failed test.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::http_exchange::Execution;
use crate::request_watch::Endpoint;
use crate::test_peers::scripted_pbx::{Answer, DN, SECRET, ScriptedPbx, leg, run};
use crate::threecx::access_token::TokenPublisher;
use crate::threecx::action::{ActionOutcome, Destination, Refusal};
use crate::threecx::address::{Dn, LegAddress, ParticipantId};
use crate::threecx::client::ThreeCx;
use crate::threecx::error::ThreeCxErrorKind as Kind;
use crate::threecx::settings::{ClientSecret, Settings};
use crate::threecx::token::{TokenClient, TokenError};
use crate::threecx::token_keeper::{KeeperTiming, TokenEvent, keep};
use crate::wire_record::{Tap, WireLine, tapped};

const LONG: Duration = Duration::from_secs(20);
const SHORT: Duration = Duration::from_millis(300);

fn address(id: u64) -> LegAddress {
    LegAddress { dn: Dn::new(DN), participant: ParticipantId(id) }
}

fn client(pbx: &ScriptedPbx, within: Duration) -> (ThreeCx, TokenPublisher) {
    let (tokens, desk) = pbx.token_channel();
    (ThreeCx::new(pbx.settings(within), tokens), desk)
}

fn to(destination: &str) -> Destination {
    Destination { to: destination.to_owned(), ringing: Duration::from_secs(20) }
}

fn refusal(outcome: &ActionOutcome) -> Option<Refusal> {
    match outcome {
        ActionOutcome::Refused { reason, .. } => Some(*reason),
        ActionOutcome::Done(_) | ActionOutcome::Over | ActionOutcome::Unknown { .. } => None,
    }
}

#[test]
fn every_endpoint_is_requested_as_documented() {
    run(async {
        let pbx = ScriptedPbx::start().await;
        let (client, _desk) = client(&pbx, LONG);
        pbx.set_legs(&[leg(42, "Connected", "0171")]);
        let dns = client.dns().await.unwrap();
        assert_eq!((dns.len(), dns[0].participants[0].leg.clone()), (2, address(42)));
        assert!(client.participant(&address(42)).await.unwrap().is_connected());
        let error = client.participant(&address(43)).await.unwrap_err();
        assert!(error.means_gone() && error.kind == Kind::NotFound);
        pbx.script("GET", Answer::Reply("200 OK", json!([leg(1, "Ringing", "")]).to_string()));
        assert_eq!(client.participants(&Dn::new("a b")).await.unwrap().len(), 1);
        let asked: Vec<_> = pbx.seen("GET").into_iter().map(|seen| seen.line).collect();
        assert_eq!(
            asked,
            [
                "GET /callcontrol",
                "GET /callcontrol/900/participants/42",
                "GET /callcontrol/900/participants/43",
                "GET /callcontrol/a%20b/participants",
            ]
        );
        assert!(pbx.seen("GET").iter().all(|seen| seen.header("authorization") == Some("Bearer token1")));
    });
}

#[test]
fn actions_send_what_is_documented() {
    run(async {
        let pbx = ScriptedPbx::start().await;
        let (client, _desk) = client(&pbx, LONG);
        for _ in 0..4 {
            pbx.script("POST", Answer::Reply("200 OK", json!({"finalstatus": "Success"}).to_string()));
        }
        let data = [("public_precall_id".to_owned(), "x".to_owned())];
        client.drop_leg(&address(1)).await;
        client.answer(&address(1)).await;
        client.route_to(&address(1), &to("200")).await;
        client.attach_participant_data(&address(1), &data).await;
        let sent: Vec<(String, Value)> = pbx
            .seen("POST")
            .into_iter()
            .map(|seen| (seen.line, serde_json::from_str(&seen.body).unwrap()))
            .collect();
        let send = json!({"reason": "None", "destination": "200", "timeout": 20});
        let attached = json!({"attacheddata": {"public_precall_id": "x"}});
        let leg = "POST /callcontrol/900/participants/1";
        let expected = [
            (format!("{leg}/drop"), json!({})),
            (format!("{leg}/answer"), json!({})),
            (format!("{leg}/routeto"), send),
            (format!("{leg}/attach_participant_data"), attached),
        ];
        assert_eq!(sent, expected);
    });
}

#[test]
fn the_result_of_an_action_decides_whether_the_leg_is_ours() {
    run(async {
        let pbx = ScriptedPbx::start().await;
        let (client, _desk) = client(&pbx, LONG);
        let mut table = vec![
            ("403 No", json!({}), Some(Refusal::Forbidden)),
            ("422 No", json!({}), Some(Refusal::NotApplicable)),
            ("400 No", json!({"error": "bad"}), Some(Refusal::Other)),
            ("200 OK", json!({"finalstatus": -1, "reason": 0}), Some(Refusal::Other)),
            ("200 OK", json!({"finalstatus": "Rejected", "reason": "NotSpecified"}), Some(Refusal::Other)),
        ];
        for (number, name, refusal) in [
            (1, "OperationTimeout", Some(Refusal::TimedOut)),
            (2, "UnknownDestination", Some(Refusal::UnknownDestination)),
            (3, "DestinationBusy", Some(Refusal::Busy)),
            (4, "DestinationNoAnswer", Some(Refusal::NoAnswer)),
            (5, "DestinationIsNotRegistered", Some(Refusal::NotRegistered)),
            (6, "DestinationIsNotReachable", Some(Refusal::NotReachable)),
            (10, "Cancelled", Some(Refusal::Cancelled)),
            (12, "RoutingLoopDetected", Some(Refusal::Loop)),
            (7, "PartyConnectionLost", None),
            (8, "ParentConnectionTerminated", None),
            (9, "CompletedElsewhere", None),
            (11, "SubjectNotFound", None),
        ] {
            for status in ["200 OK", "202 Accepted", "422 No", "500 No"] {
                table.push((status, json!({"finalstatus": "Failed", "reason": name}), refusal));
                table.push((status, json!({"finalstatus": 0, "reason": number}), refusal));
                let text = json!({"finalstatus": "-1", "reason": number.to_string()});
                table.push((status, text, refusal));
            }
        }
        for (status, body, expected) in table {
            pbx.script("POST", Answer::Reply(status, body.to_string()));
            let outcome = client.route_to(&address(1), &to("200")).await;
            match expected {
                Some(reason) => assert_eq!(refusal(&outcome), Some(reason), "{status} {body}"),
                None => assert_eq!(outcome, ActionOutcome::Over, "{status} {body}"),
            }
        }
        assert_eq!(client.route_to(&address(1), &to("200")).await, ActionOutcome::Over, "404");
        for (status, body) in [
            ("200 OK", json!({"finalstatus": "Success", "result": leg(9, "Connected", "")}).to_string()),
            ("202 Accepted", json!({"finalstatus": 1, "reason": "NotSpecified", "result": null}).to_string()),
            ("204 None", String::new()),
            ("200 OK", "done".to_owned()),
        ] {
            let has_leg = body.contains("legid");
            pbx.script("POST", Answer::Reply(status, body.clone()));
            let ActionOutcome::Done(result) = client.route_to(&address(1), &to("200")).await else {
                panic!("{status} {body}")
            };
            assert_eq!(result.participant.map(|leg| leg.leg), has_leg.then(|| address(9)));
        }
        let said =
            json!({"finalstatus": "Failed", "reasontext": "no route for +4917112345678 and very-secret"});
        pbx.script("POST", Answer::Reply("422 No", said.to_string()));
        let ActionOutcome::Refused { message, .. } = client.route_to(&address(1), &to("200")).await else {
            panic!("not refused")
        };
        assert!(message.contains("no route") && !message.contains("171123") && !message.contains(SECRET));
    });
}

#[test]
fn a_leg_that_cannot_be_dropped_is_over() {
    run(async {
        let pbx = ScriptedPbx::start().await;
        let (client, _desk) = client(&pbx, LONG);
        for status in ["404 No", "422 No"] {
            pbx.script("POST", Answer::Reply(status, String::new()));
            assert_eq!(client.drop_leg(&address(1)).await, ActionOutcome::Over, "{status}");
        }
        pbx.script("POST", Answer::Reply("403 No", String::new()));
        assert_eq!(refusal(&client.drop_leg(&address(1)).await), Some(Refusal::Forbidden));
    });
}

#[test]
fn pitfall_08_a_lost_routeto_answer_is_unknown_not_failed() {
    run(async {
        let pbx = ScriptedPbx::start().await;
        let (client, _desk) = client(&pbx, LONG);
        let route = |destination: Destination| {
            let client = client.clone();
            async move { client.route_to(&address(1), &destination).await }
        };
        for answer in [Answer::Close, Answer::Reply("502 Bad Gateway", "proxy".to_owned())] {
            pbx.script("POST", answer);
            let outcome = route(to("200")).await;
            assert!(matches!(outcome, ActionOutcome::Unknown { .. }), "{outcome:?}");
        }
        assert_eq!(pbx.seen("POST").len(), 2, "it is never sent again by itself");
        // A PBX that does not exist received nothing.
        let (tokens, _other) = pbx.token_channel();
        let nobody = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", nobody.local_addr().unwrap());
        drop(nobody);
        let secret = crate::threecx::settings::ClientSecret::new(SECRET);
        let settings =
            crate::threecx::settings::Settings::new(base.parse().unwrap(), DN, secret, LONG).unwrap();
        let outcome = ThreeCx::new(settings.into(), tokens).route_to(&address(1), &to("200")).await;
        assert_eq!(refusal(&outcome), Some(Refusal::NotSent));
    });
}

#[test]
fn one_deadline_covers_everything_and_says_whether_it_was_sent() {
    run(async {
        let pbx = ScriptedPbx::start().await;
        let (client, _desk) = client(&pbx, SHORT);
        pbx.script("POST", Answer::Hang);
        assert!(matches!(client.answer(&address(1)).await, ActionOutcome::Unknown { .. }));
        pbx.script("GET", Answer::Hang);
        let error = client.dns().await.unwrap_err();
        assert_eq!((error.kind, error.execution), (Kind::Timeout, Execution::Maybe));
        // A telephone may ring for longer than any other request takes.
        pbx.script("POST", Answer::Late(SHORT * 2, "200 OK"));
        let outcome = client.route_to(&address(1), &to("200")).await;
        assert!(matches!(outcome, ActionOutcome::Done(_)), "{outcome:?}");
        // Without a token nothing is sent.
        let (tokens, _desk) = TokenPublisher::channel();
        let waiting = ThreeCx::new(pbx.settings(SHORT), tokens);
        assert_eq!(refusal(&waiting.answer(&address(1)).await), Some(Refusal::NotSent));
        // A refused token and no other: the same.
        pbx.revoke();
        assert_eq!(refusal(&client.answer(&address(1)).await), Some(Refusal::NotSent));
    });
}

#[test]
fn unparsable_responses_are_garbled_and_redirects_not_followed() {
    run(async {
        let pbx = ScriptedPbx::start().await;
        let (client, _desk) = client(&pbx, LONG);
        for body in ["", "garbage", "{}", "null", "7"] {
            pbx.script("GET", Answer::Reply("200 OK", body.to_owned()));
            assert_eq!(client.dns().await.unwrap_err().kind, Kind::Garbled, "{body}");
        }
        pbx.script("GET", Answer::Reply("307 There\r\nlocation: /callcontrol", String::new()));
        assert_eq!(client.dns().await.unwrap_err().kind, Kind::Redirected);
        let large = json!([leg(1, &"x".repeat(300 * 1024), "")]).to_string();
        pbx.script("GET", Answer::Reply("200 OK", large));
        assert_eq!(client.participant(&address(1)).await.unwrap_err().kind, Kind::Garbled);
        assert_eq!(pbx.seen("GET").len(), 7);
    });
}

#[test]
fn many_refused_requests_wait_for_one_new_token() {
    run(async {
        let pbx = ScriptedPbx::start().await;
        let (client, desk) = client(&pbx, LONG);
        let asker = TokenClient::new(pbx.settings(LONG));
        let news = Rc::new(RefCell::new(Vec::new()));
        let told = Rc::clone(&news);
        // The keeper gets a token of its own first.
        actix::spawn(keep(
            desk,
            KeeperTiming::default(),
            async move |_| asker.ask().await,
            move |news| {
                told.borrow_mut().push(news);
            },
        ));
        pbx.until_seen("POST /connect/token", 1).await;
        let first = client.dns().await;
        assert!(first.is_ok(), "{first:?}");
        pbx.revoke();
        let asking: Vec<_> = (0..40).map(|_| client.dns()).collect();
        for answer in futures_util::future::join_all(asking).await {
            answer.unwrap();
        }
        assert_eq!(pbx.seen("POST /connect/token").len(), 2);
        assert_eq!(pbx.tokens_given(), 3);
        assert!(news.borrow().iter().all(|news| matches!(news, TokenEvent::Fresh { .. })));
        // After a second refusal there is no third try.
        pbx.script("GET", Answer::Reply("401 No", String::new()));
        pbx.script("GET", Answer::Reply("401 No", String::new()));
        let before = pbx.seen("GET").len();
        assert_eq!(client.dns().await.unwrap_err().kind, Kind::Unauthorised);
        assert_eq!(pbx.seen("GET").len(), before + 2);
    });
}

#[test]
fn a_token_is_requested_as_documented_and_refusals_are_distinguished() {
    run(async {
        let pbx = ScriptedPbx::start().await;
        let asker = TokenClient::new(pbx.settings(SHORT));
        assert_eq!(asker.ask().await.unwrap().bearer, "token1");
        let asked = pbx.seen("POST /connect/token").pop().unwrap();
        assert_eq!(asked.body, "client_id=900&client_secret=very-secret&grant_type=client_credentials");
        assert_eq!(asked.header("content-type"), Some("application/x-www-form-urlencoded"));
        assert_eq!(asked.header("authorization"), None);
        let ask = async |answer: Answer| {
            pbx.script("POST", answer);
            asker.ask().await.unwrap_err()
        };
        for status in ["400 No", "401 No", "403 No"] {
            let body = json!({"error": "invalid_client", "error_description": "very-secret is wrong"});
            let error = ask(Answer::Reply(status, body.to_string())).await;
            let said = error.to_string();
            assert!(error.is_refusal() && said.contains("THREECX_CLIENT_SECRET") && !said.contains(SECRET));
        }
        let error = ask(Answer::Reply("404 No", "<html>".to_owned())).await;
        assert_eq!(error, TokenError::NotV20);
        assert!(error.to_string().contains("THREECX_BASE_URL"));
        for answer in [Answer::Close, Answer::Hang] {
            let error = ask(answer).await;
            assert!(matches!(error, TokenError::Unreachable(_)), "{error}");
        }
        for (status, body) in [("500 No", ""), ("200 OK", "{}"), ("200 OK", "<html>"), ("302 No", "")] {
            let error = ask(Answer::Reply(status, body.to_owned())).await;
            assert!(matches!(error, TokenError::Unexpected { .. }), "{error}");
        }
    });
}

#[test]
fn a_read_that_is_not_answered_is_sent_again_over_new_connections() {
    run(async {
        let pbx = ScriptedPbx::start().await;
        let (client, _desk) = client(&pbx, LONG);
        pbx.set_legs(&[leg(42, "Connected", "0171")]);
        for _ in 0..2 {
            pbx.script("GET", Answer::Hang);
        }
        let begun = Instant::now();
        assert_eq!(client.dns().await.unwrap().len(), 2);
        assert!(begun.elapsed() < LONG / 2, "not at its deadline: {:?}", begun.elapsed());
        assert_eq!(pbx.seen("GET").len(), 3);
        // A leg ends once, however often that is asked for.
        pbx.script("POST", Answer::Hang);
        pbx.script("POST", Answer::Reply("404 Not Found", String::new()));
        assert_eq!(client.drop_leg(&address(42)).await, ActionOutcome::Over);
        assert_eq!(pbx.seen("POST").len(), 2);
        // Whatever else changes something is not sent again.
        pbx.script("POST", Answer::Hang);
        let (impatient, _desk) = self::client(&pbx, Duration::from_secs(2));
        assert!(matches!(impatient.answer(&address(42)).await, ActionOutcome::Unknown { .. }));
        assert_eq!(pbx.seen("POST").len(), 3);
    });
}

#[derive(Default)]
struct Lines(Mutex<Vec<WireLine>>);

impl Tap for Lines {
    fn take(&self, line: WireLine) {
        self.0.lock().unwrap().push(line);
    }
}

/// The PBX behind a proxy: its base address has a path.
#[test]
fn a_request_below_a_path_prefix_has_its_peer_and_its_endpoint() {
    run(async {
        let pbx = ScriptedPbx::start().await;
        pbx.script("GET /pbx/callcontrol", Answer::Reply("200 OK", json!([]).to_string()));
        pbx.script("POST /pbx/callcontrol", Answer::Reply("200 OK", json!({}).to_string()));
        let base = format!("http://{}/pbx/", pbx.address()).parse().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let observed = Arc::clone(&seen);
        let observer = Arc::new(move |endpoint: Endpoint, _, _| observed.lock().unwrap().push(endpoint));
        let settings =
            Settings::new(base, DN, ClientSecret::new(SECRET), LONG).unwrap().observed_by(observer);
        let (tokens, _desk) = pbx.token_channel();
        let client = ThreeCx::new(Arc::new(settings), tokens);
        let lines = Arc::new(Lines::default());
        let tap: Arc<dyn Tap> = Arc::<Lines>::clone(&lines);
        tapped(tap, async {
            client.dns().await.unwrap();
            client.drop_leg(&address(1)).await;
        })
        .await;
        let lines = lines.0.lock().unwrap();
        let shown: Vec<_> = lines.iter().map(|line| (line.peer, line.what.as_str())).collect();
        let expected =
            [("3cx", "GET /pbx/callcontrol"), ("3cx", "POST /pbx/callcontrol/900/participants/1/drop")];
        assert_eq!(shown, expected);
        assert_eq!(*seen.lock().unwrap(), [Endpoint::CallControl, Endpoint::Drop]);
    });
}
