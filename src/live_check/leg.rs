//! The call of the check: made or awaited, and always dropped at the end.

use std::cell::RefCell;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::finding::Findings;
use super::pbx::{Answer, Pbx};
use super::socket::Socket;
use super::until::until;

/// Longest ringing.
const RINGS: Duration = Duration::from_secs(30);
/// Time for a caller to dial the route point.
const CALLER_WITHIN: Duration = Duration::from_secs(60);
/// Time from the answer until the leg is connected.
const CONNECTED_WITHIN: Duration = Duration::from_secs(15);
/// A route point answers by itself. After this time the check sends `answer`.
const ANSWERS_ITSELF: Duration = Duration::from_secs(2);
/// A call may appear this late after a lost answer to makecall.
const LATE_LEG_WITHIN: Duration = Duration::from_secs(2);
/// The leg is read this often even without events.
const LOOK_AGAIN: Duration = Duration::from_millis(250);
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// Last digits that identify the call: the PBX may format a number differently.
const SAME_DIGITS: usize = 6;

/// How the call starts.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Way {
    /// The route point's device calls this number.
    Ring(String),
    /// A caller dials the route point.
    Wait,
}

/// The leg to drop at the end.
#[derive(Default)]
pub(super) struct LegToDrop {
    leg: RefCell<Option<String>>,
    /// The dialled number, and the ids of the legs before.
    dialled: RefCell<Option<(String, Vec<String>)>>,
}

impl LegToDrop {
    /// Forgets the leg: it is dropped or being dropped.
    pub(super) fn let_go(&self) {
        *self.leg.borrow_mut() = None;
        *self.dialled.borrow_mut() = None;
    }

    /// Drops the leg, if there is one.
    ///
    /// # Errors
    /// The leg may still exist.
    pub(super) async fn drop_all(&self, pbx: &Pbx) -> Result<(), String> {
        let leg = self.leg.borrow().clone();
        let dialled = self.dialled.borrow().clone();
        let leg = match (leg, dialled) {
            (Some(leg), _) => leg,
            (None, None) => return Ok(()),
            // The answer to makecall was lost. Only a new leg that rings this number can be the check's.
            (None, Some((number, before))) => match new_leg(pbx, &before, &number, LATE_LEG_WITHIN).await? {
                Some(leg) => leg,
                None => return Ok(()),
            },
        };
        let answer = pbx.post(&leg_path(pbx.own_dn(), &leg, "drop"), &json!({})).await?;
        // 404 and 422: it has ended already.
        if answer.is_success() || matches!(answer.status, 404 | 422) {
            Ok(())
        } else {
            Err(answer.to_string())
        }
    }
}

/// The path of an endpoint of a leg.
pub(super) fn leg_path<'a>(dn: &'a str, leg: &'a str, what: &'a str) -> [&'a str; 5] {
    ["callcontrol", dn, "participants", leg, what]
}

/// Reads the leg.
pub(super) async fn look(pbx: &Pbx, leg: &str) -> Result<Answer, String> {
    pbx.get(&["callcontrol", pbx.own_dn(), "participants", leg]).await
}

/// Checks that the leg exists. Call it before a stream's end counts as a finding: the person may have hung up.
pub(super) async fn still_there(pbx: &Pbx, leg: &str) -> Result<(), String> {
    let answer = look(pbx, leg).await?;
    if answer.is_success() { Ok(()) } else { Err("the person hung up".to_owned()) }
}

async fn legs(pbx: &Pbx) -> Result<Vec<Value>, String> {
    let answer = pbx.get(&["callcontrol", pbx.own_dn(), "participants"]).await?;
    match answer.json() {
        Value::Array(legs) if answer.is_success() => Ok(legs),
        _ => Err(format!("the legs of the route point cannot be listed: {answer}")),
    }
}

/// The id, a number or text in JSON.
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

/// Makes the call. Returns the id of the leg, which is dialling, and the result object.
pub(super) async fn ring(
    pbx: &Pbx,
    number: &str,
    to_drop: &LegToDrop,
    findings: &mut Findings,
) -> Result<(String, Value), String> {
    let devices = pbx.get(&["callcontrol", pbx.own_dn(), "devices"]).await?;
    let list = devices.json();
    let device = list.get(0).and_then(|device| device.get("device_id")).and_then(Value::as_str);
    let device = device.ok_or_else(|| format!("the route point has no device to call from: {devices}"))?;
    let before: Vec<String> = legs(pbx).await?.iter().map(id).collect();
    *to_drop.dialled.borrow_mut() = Some((number.to_owned(), before.clone()));
    let body = json!({"reason": "None", "destination": number, "timeout": RINGS.as_secs()});
    let path = ["callcontrol", pbx.own_dn(), "devices", device, "makecall"];
    let answer = pbx.post_within(&path, &body, RINGS).await?;
    findings.measured(
        "makecall: status",
        answer.status,
        "200, 202 or 204",
        matches!(answer.status, 200 | 202 | 204),
    );
    if !answer.is_success() {
        to_drop.let_go();
        return Err(format!("the PBX refuses the call: {answer}"));
    }
    let result = answer.json();
    let leg = id(result.get("result").unwrap_or(&Value::Null));
    findings.measured(
        "makecall: result.id",
        if leg.is_empty() { "missing" } else { "the leg" },
        "the leg",
        !leg.is_empty(),
    );
    let leg = match leg.is_empty() {
        false => leg,
        true => new_leg(pbx, &before, number, CONNECTED_WITHIN)
            .await?
            .ok_or("the call was made, but its leg does not appear")?,
    };
    *to_drop.leg.borrow_mut() = Some(leg.clone());
    Ok((leg, result))
}

/// Waits for a new leg that rings this number, at most `limit`.
async fn new_leg(
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

/// Waits for a call to the route point.
pub(super) async fn wait(pbx: &Pbx, socket: &Socket, to_drop: &LegToDrop) -> Result<String, String> {
    let prefix = format!("/callcontrol/{}/participants/", pbx.own_dn());
    let before: Vec<String> = legs(pbx).await?.iter().map(id).collect();
    let begun = Instant::now();
    while begun.elapsed() < CALLER_WITHIN {
        let upserts = socket.received(|heard| heard.kind == Some(0) && heard.entity.starts_with(&prefix));
        let ids = upserts.iter().filter_map(|heard| heard.entity.strip_prefix(&prefix));
        if let Some(leg) = ids.map(str::to_owned).find(|leg| !leg.contains('/') && !before.contains(leg)) {
            *to_drop.leg.borrow_mut() = Some(leg.clone());
            return Ok(leg);
        }
        tokio::time::sleep(LOOK_EVERY / 5).await;
    }
    Err(format!("no call to the route point within {} s", CALLER_WITHIN.as_secs()))
}

/// Waits until the leg is connected, and answers a call that rings too long. Returns the connected leg.
pub(super) async fn connected(
    pbx: &Pbx,
    socket: &Socket,
    leg: &str,
    findings: &mut Findings,
) -> Result<Value, String> {
    let entity = format!("/callcontrol/{}/participants/{leg}", pbx.own_dn());
    let told = || socket.received(|heard| heard.entity == entity).len();
    let begun = Instant::now();
    let mut was_answered = false;
    while begun.elapsed() < RINGS.saturating_add(CONNECTED_WITHIN) {
        let known = told();
        let answer = look(pbx, leg).await?;
        if matches!(answer.status, 403 | 404) {
            return Err("nobody answered, or the call was refused: its leg is gone".to_owned());
        }
        let shown = answer.json();
        match shown.get("status").and_then(Value::as_str).unwrap_or_default() {
            "Connected" => return Ok(shown),
            "Ringing" if !was_answered && begun.elapsed() > ANSWERS_ITSELF => {
                was_answered = true;
                let answer = pbx.post(&leg_path(pbx.own_dn(), leg, "answer"), &json!({})).await?;
                findings.measured("answer: status", &answer, "200, 202 or 204", answer.is_success());
            }
            _ => {}
        }
        // Reads again at once after an event, so that the streams are opened as early as in a call.
        until(LOOK_AGAIN, || (told() > known).then_some(())).await;
    }
    Err("the call was not answered in time".to_owned())
}
