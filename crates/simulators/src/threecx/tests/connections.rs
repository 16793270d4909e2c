//! WebSockets: how they are opened, how they end.

use std::time::Duration;

use awc::error::WsClientError;
use awc::ws;
use futures_util::StreamExt;
use serde_json::{Value, json};

use super::super::{Fault, WsFault};
use super::{Pbx, Socket, eventually};

async fn refused(pbx: &Pbx) -> u16 {
    let request = pbx.client.ws(pbx.url("/callcontrol/ws")).set_header("authorization", pbx.bearer().1);
    match request.connect().await {
        Err(WsClientError::InvalidResponseStatus(status)) => status.as_u16(),
        other => panic!("not refused: {:?}", other.map(|_| ())),
    }
}

fn close(fault: Fault) -> Vec<Fault> {
    vec![Fault { ws: Some(WsFault::Close), ..fault }]
}

#[actix_web::test]
async fn an_upgrade_needs_a_token_and_an_upgrade() {
    let mut pbx = Pbx::default().await;
    assert_eq!(pbx.get("/callcontrol/ws").await.status, 400);
    pbx.token = "stale".to_owned();
    assert_eq!(refused(&pbx).await, 401);
}

#[actix_web::test]
async fn pings_are_answered_and_a_close_is_too() {
    let pbx = Pbx::default().await;
    let mut socket = pbx.listens().await;
    socket.send(ws::Message::Ping("hello".into())).await;
    assert!(matches!(socket.0.next().await, Some(Ok(ws::Frame::Pong(payload))) if payload == "hello"));
    socket.send(ws::Message::Close(None)).await;
    socket.ends().await;
    eventually("it is forgotten", || async { (pbx.simulator.websockets() == 0).then_some(()) }).await;
}

#[actix_web::test]
async fn what_is_open_is_closed_with_the_code_that_was_asked_for() {
    let pbx = Pbx::default().await;
    for code in [1000, 1001, 1006, 1011, 1012] {
        let mut sockets = [pbx.listens().await, pbx.listens().await];
        let order = json!([{"ws": "close", "ws_close_code": code}]);
        assert_eq!(pbx.put("/sim/faults", &order).await.status, 200);
        for socket in &mut sockets {
            assert_eq!(socket.ends().await, (code != 1006).then_some(code), "{code}");
        }
        // It strikes once: the next connection stays.
        let mut next = pbx.listens().await;
        let placed = pbx.rings();
        next.appears(&placed).await;
        pbx.simulator.hang_up(&placed.call_id);
        next.send(ws::Message::Close(None)).await;
        eventually("it is forgotten", || async { (pbx.simulator.websockets() == 0).then_some(()) }).await;
    }
}

#[actix_web::test]
async fn with_nothing_open_the_next_connection_is_closed() {
    let pbx = Pbx::default().await;
    pbx.simulator.set_faults(close(Fault { times: Some(2), ..Fault::default() }));
    for _ in 0..2 {
        assert_eq!(pbx.listens().await.ends().await, Some(1001));
    }
    let mut socket = pbx.listens().await;
    let placed = pbx.rings();
    socket.appears(&placed).await;
}

#[actix_web::test]
async fn reconnects_are_refused_for_a_while() {
    let pbx = Pbx::default().await;
    let mut socket = pbx.listens().await;
    pbx.simulator.set_faults(close(Fault { ws_down_ms: 200, ..Fault::default() }));
    socket.ends().await;
    assert_eq!(refused(&pbx).await, 503);
    let back = eventually("it is back", || async {
        let request = pbx.client.ws(pbx.url("/callcontrol/ws")).set_header("authorization", pbx.bearer().1);
        request.connect().await.ok()
    })
    .await;
    let placed = pbx.rings();
    Socket(Box::pin(back.1)).appears(&placed).await;
}

#[actix_web::test]
async fn a_stalled_connection_says_nothing_not_even_pong() {
    let pbx = Pbx::default().await;
    let mut stalled = pbx.listens().await;
    pbx.simulator.set_faults(vec![Fault { ws: Some(WsFault::Stall), ..Fault::default() }]);
    let mut fresh = pbx.listens().await;
    let placed = pbx.rings();
    stalled.send(ws::Message::Ping("hello".into())).await;
    // Had the first one anything to say, it would have said it before this.
    fresh.appears(&placed).await;
    let silence = tokio::time::timeout(Duration::from_millis(200), stalled.0.next()).await;
    assert!(silence.is_err(), "{silence:?}");
    assert_eq!(pbx.post("/sim/restart", &Value::Null).await.status, 200);
    assert_eq!(stalled.ends().await, None);
}

#[actix_web::test]
async fn a_new_token_may_close_connections() {
    let mut pbx = Pbx::default().await;
    let mut socket = pbx.listens().await;
    pbx.simulator.set_faults(vec![Fault { ws: Some(WsFault::CloseOnToken), ..Fault::default() }]);
    pbx.log_in().await;
    assert_eq!(socket.ends().await, None);
}
