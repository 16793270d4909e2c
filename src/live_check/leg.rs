//! The one call of a check: it is made or waited for, and let go of whatever happens.

use std::cell::RefCell;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::finding::Findings;
use super::pbx::{Pbx, Said};
use super::socket::Socket;
use super::until::until;

/// How long a telephone may ring.
const RINGS: Duration = Duration::from_secs(30);
/// How long a caller may take to dial the route point.
const CALLER_WITHIN: Duration = Duration::from_secs(60);
/// How long after somebody should have answered the leg may take to be connected.
const CONNECTED_WITHIN: Duration = Duration::from_secs(15);
/// A route point answers by itself; when it does not, it is asked to.
const ANSWERS_ITSELF: Duration = Duration::from_secs(2);
/// A call whose answer was lost may come to life a moment later.
const LATE_LEG_WITHIN: Duration = Duration::from_secs(2);
/// Without news of the leg it is looked at all the same.
const LOOK_AGAIN: Duration = Duration::from_millis(250);
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// So many last digits tell our call from another: the PBX may write a number in another form.
const SAME_DIGITS: usize = 6;

/// How the call comes about.
#[derive(Clone, PartialEq, Eq)]
pub enum Way {
    /// This number is rung from the route point's own device.
    Ring(String),
    /// Somebody rings the route point.
    Wait,
}

/// What is to be let go of at the end.
#[derive(Default)]
pub(super) struct Held {
    leg: RefCell<Option<String>>,
    /// The number that was asked for, and the legs that were there before.
    dialled: RefCell<Option<(String, Vec<String>)>>,
}

impl Held {
    /// The leg is gone, or its end was seen to.
    pub(super) fn let_go(&self) {
        *self.leg.borrow_mut() = None;
        *self.dialled.borrow_mut() = None;
    }

    /// Drops what is left. Says when it cannot be sure.
    pub(super) async fn drop_all(&self, pbx: &Pbx) -> Result<(), String> {
        let leg = self.leg.borrow().clone();
        let dialled = self.dialled.borrow().clone();
        let leg = match (leg, dialled) {
            (Some(leg), _) => leg,
            (None, None) => return Ok(()),
            // The answer to makecall was lost: the leg is looked for, and only one that rings that number is ours.
            (None, Some((number, before))) => match newcomer(pbx, &before, &number, LATE_LEG_WITHIN).await? {
                Some(leg) => leg,
                None => return Ok(()),
            },
        };
        let said = pbx.post(&leg_path(pbx.own_dn(), &leg, "drop"), &json!({})).await?;
        // 404 and 422: it is gone already.
        if said.is_success() || matches!(said.status, 404 | 422) { Ok(()) } else { Err(said.to_string()) }
    }
}

/// The path of something about a leg.
pub(super) fn leg_path<'a>(dn: &'a str, leg: &'a str, what: &'a str) -> [&'a str; 5] {
    ["callcontrol", dn, "participants", leg, what]
}

/// The leg as the PBX shows it now.
pub(super) async fn look(pbx: &Pbx, leg: &str) -> Result<Said, String> {
    pbx.get(&["callcontrol", pbx.own_dn(), "participants", leg]).await
}

/// To be asked before anything is concluded from a stream that ended: the person may have put the receiver down.
pub(super) async fn still_there(pbx: &Pbx, leg: &str) -> Result<(), String> {
    let said = look(pbx, leg).await?;
    if said.is_success() { Ok(()) } else { Err("the person hung up".to_owned()) }
}

async fn legs(pbx: &Pbx) -> Result<Vec<Value>, String> {
    let said = pbx.get(&["callcontrol", pbx.own_dn(), "participants"]).await?;
    match said.json() {
        Value::Array(legs) if said.is_success() => Ok(legs),
        _ => Err(format!("the legs of the route point cannot be listed: {said}")),
    }
}

/// Ids come as numbers or as text.
fn id(leg: &Value) -> String {
    match leg.get("id") {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) => number.to_string(),
        _ => String::new(),
    }
}

fn is_same(leg: &Value, number: &str) -> bool {
    let digits = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<Vec<_>>();
    let wanted = digits(number);
    let shown = digits(leg.get("party_caller_id").and_then(Value::as_str).unwrap_or_default());
    let tail = wanted.get(wanted.len().saturating_sub(SAME_DIGITS)..).unwrap_or_default();
    !tail.is_empty() && shown.ends_with(tail)
}

/// Makes the call; the leg dials when this returns. The result object is for who compares results.
pub(super) async fn ring(
    pbx: &Pbx,
    number: &str,
    held: &Held,
    findings: &mut Findings,
) -> Result<(String, Value), String> {
    let devices = pbx.get(&["callcontrol", pbx.own_dn(), "devices"]).await?;
    let list = devices.json();
    let device = list.get(0).and_then(|device| device.get("device_id")).and_then(Value::as_str);
    let device = device.ok_or_else(|| format!("the route point has no device to call from: {devices}"))?;
    let before: Vec<String> = legs(pbx).await?.iter().map(id).collect();
    *held.dialled.borrow_mut() = Some((number.to_owned(), before.clone()));
    let body = json!({"reason": "None", "destination": number, "timeout": RINGS.as_secs()});
    let path = ["callcontrol", pbx.own_dn(), "devices", device, "makecall"];
    let said = pbx.post_within(&path, &body, RINGS).await?;
    findings.seen("makecall: status", said.status, "200, 202 or 204", matches!(said.status, 200 | 202 | 204));
    if !said.is_success() {
        held.let_go();
        return Err(format!("the PBX does not make the call: {said}"));
    }
    let result = said.json();
    let leg = id(result.get("result").unwrap_or(&Value::Null));
    findings.seen(
        "makecall: result.id",
        if leg.is_empty() { "missing" } else { "our own leg" },
        "our own leg",
        !leg.is_empty(),
    );
    let leg = match leg.is_empty() {
        false => leg,
        true => newcomer(pbx, &before, number, CONNECTED_WITHIN)
            .await?
            .ok_or("the call was made, and its leg does not appear")?,
    };
    *held.leg.borrow_mut() = Some(leg.clone());
    Ok((leg, result))
}

/// The leg that rings this number and was not there before, once it appears.
async fn newcomer(
    pbx: &Pbx,
    before: &[String],
    number: &str,
    limit: Duration,
) -> Result<Option<String>, String> {
    let begun = Instant::now();
    loop {
        let legs = legs(pbx).await?;
        let new = legs.iter().find(|leg| !before.contains(&id(leg)) && is_same(leg, number));
        if new.is_some() || begun.elapsed() >= limit {
            return Ok(new.map(id));
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Waits for somebody to ring the route point.
pub(super) async fn wait(pbx: &Pbx, socket: &Socket, held: &Held) -> Result<String, String> {
    let prefix = format!("/callcontrol/{}/participants/", pbx.own_dn());
    let before: Vec<String> = legs(pbx).await?.iter().map(id).collect();
    let begun = Instant::now();
    while begun.elapsed() < CALLER_WITHIN {
        let upserts = socket.heard(|heard| heard.kind == Some(0) && heard.entity.starts_with(&prefix));
        let ids = upserts.iter().filter_map(|heard| heard.entity.strip_prefix(&prefix));
        if let Some(leg) = ids.map(str::to_owned).find(|leg| !leg.contains('/') && !before.contains(leg)) {
            *held.leg.borrow_mut() = Some(leg.clone());
            return Ok(leg);
        }
        tokio::time::sleep(LOOK_EVERY / 5).await;
    }
    Err(format!("nobody rang the route point within {} s", CALLER_WITHIN.as_secs()))
}

/// Until the leg is connected; answers a call that rings for long. Returns it as the PBX shows it then.
pub(super) async fn connected(
    pbx: &Pbx,
    socket: &Socket,
    leg: &str,
    findings: &mut Findings,
) -> Result<Value, String> {
    let entity = format!("/callcontrol/{}/participants/{leg}", pbx.own_dn());
    let told = || socket.heard(|heard| heard.entity == entity).len();
    let begun = Instant::now();
    let mut was_answered = false;
    while begun.elapsed() < RINGS.saturating_add(CONNECTED_WITHIN) {
        let known = told();
        let said = look(pbx, leg).await?;
        if matches!(said.status, 403 | 404) {
            return Err("nobody answered, or the call was refused: its leg is gone".to_owned());
        }
        let shown = said.json();
        match shown.get("status").and_then(Value::as_str).unwrap_or_default() {
            "Connected" => return Ok(shown),
            "Ringing" if !was_answered && begun.elapsed() > ANSWERS_ITSELF => {
                was_answered = true;
                let said = pbx.post(&leg_path(pbx.own_dn(), leg, "answer"), &json!({})).await?;
                findings.seen("answer: status", &said, "200, 202 or 204", said.is_success());
            }
            _ => {}
        }
        // At once when there is news: the streams are asked for as early as a call would.
        until(LOOK_AGAIN, || (told() > known).then_some(())).await;
    }
    Err("the call was not answered in time".to_owned())
}
