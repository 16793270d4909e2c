//! The WebSocket: how its events are numbered and repeated, and how requests over it must be written.

use std::time::Duration;

use serde_json::{Value, json};

use super::finding::Findings;
use super::pbx::Pbx;
use super::socket::{Heard, Socket};
use super::until::until;

const ANSWERED_WITHIN: Duration = Duration::from_secs(2);
/// The event type of an answer (3CX facts, section 1.4).
const RESPONSE: i64 = 4;
const UPSERT: i64 = 0;

/// The ways of writing a request, the likeliest first: its name and its keys.
const FORMS: [(&str, [&str; 3]); 3] = [
    ("RequestID", ["RequestID", "Path", "RequestData"]),
    ("request_id", ["request_id", "path", "request_data"]),
    ("requestId", ["requestId", "path", "requestData"]),
];

/// A request for the state of our own DN, in each form until one is answered. Returns that form's place.
pub(super) async fn request(pbx: &Pbx, socket: &Socket, findings: &mut Findings) -> Option<usize> {
    const NAME: &str = "WebSocket request: keys";
    const EXPECTED: &str = "RequestID and Path are answered by an event of type 4";
    for (place, (form, _)) in FORMS.iter().enumerate() {
        let id = format!("precall-{place}");
        socket.say(&written(pbx, place, &id));
        let Some(answer) = until(ANSWERED_WITHIN, || answer_to(socket, &id)).await else { continue };
        let object = answer.data.as_object().cloned().unwrap_or_default();
        let keys: Vec<&str> = object.keys().map(String::as_str).collect();
        let find = |name: &str| {
            object
                .iter()
                .find(|(key, _)| key.replace('_', "").eq_ignore_ascii_case(name))
                .map(|(_, value)| value)
        };
        let status =
            find("statuscode").map_or_else(|| "no status".to_owned(), |status| format!("status {status}"));
        let value = format!("the form `{form}` is answered, {status}, with the keys {}", keys.join(", "));
        findings.seen(NAME, value, EXPECTED, place == 0 && answer.kind == Some(RESPONSE));
        return Some(place);
    }
    let forms: Vec<&str> = FORMS.iter().map(|(form, _)| *form).collect();
    findings.seen(NAME, format_args!("none of {} is answered", forms.join(", ")), EXPECTED, false);
    None
}

/// A second connection beside the first, and what both count. `form` is one that is answered.
pub(super) async fn sequence(
    pbx: &Pbx,
    first: &Socket,
    form: Option<usize>,
    findings: &mut Findings,
) -> Result<(), String> {
    const NAME: &str = "events: sequence";
    let second = Socket::open(pbx).await?;
    if let Some(form) = form {
        first.say(&written(pbx, form, "precall-first"));
        second.say(&written(pbx, form, "precall-second"));
    }
    // Without an answer, some event of the leg may still come: its Upserts are repeated.
    until(ANSWERED_WITHIN, || second.heard(|_| true).first().map(|_| ())).await;
    let numbers = |socket: &Socket| -> Vec<i64> {
        socket.heard(|_| true).iter().filter_map(|heard| heard.sequence).collect()
    };
    let (of_first, of_second) = (numbers(first), numbers(&second));
    let (Some(began), Some(last), Some(other)) = (of_first.first(), of_first.last(), of_second.first())
    else {
        findings.unseen(NAME, "too few numbered events were heard");
        return Ok(());
    };
    let gaps = of_first.iter().zip(of_first.iter().skip(1)).filter(|(one, next)| **next != *one + 1).count();
    let gaps = format!("{gaps} gaps in {} events", of_first.len());
    const EXPECTED: &str = "each connection counts for itself, without gaps";
    let is_whole = gaps.starts_with("0 ");
    if other < last {
        let value = format!("each connection counts for itself, from {began} and from {other}; {gaps}");
        findings.seen(NAME, value, EXPECTED, is_whole);
    } else {
        let value = format!(
            "one count for all: the second connection began at {other}, the first was at {last}; {gaps}"
        );
        findings.seen(NAME, value, EXPECTED, false);
    }
    Ok(())
}

/// The Upserts of our leg so far.
pub(super) fn upserts(pbx: &Pbx, leg: &str, socket: &Socket, findings: &mut Findings) {
    let entity = format!("/callcontrol/{}/participants/{leg}", pbx.own_dn());
    let upserts = socket.heard(|heard| heard.kind == Some(UPSERT) && heard.entity == entity);
    let with_data = upserts.iter().filter(|heard| !heard.data.is_null()).count();
    let mut apart: Vec<Duration> = upserts
        .iter()
        .zip(upserts.iter().skip(1))
        .map(|(one, next)| next.at.saturating_duration_since(one.at))
        .collect();
    apart.sort_unstable();
    let middle = apart.get(apart.len() / 2).map_or(0, Duration::as_millis);
    let value = format!("{} of one leg, mostly {middle} ms apart", upserts.len());
    findings.seen("events: Upserts", value, "repeated about every 750 ms", upserts.len() > 1);
    let value = if with_data == 0 {
        "null".to_owned()
    } else {
        format!("filled in {with_data} of {}", upserts.len())
    };
    findings.seen("events: attached_data of Upserts", value, "null", with_data == 0);
}

fn written(pbx: &Pbx, form: usize, id: &str) -> Value {
    let [request, path, data] = FORMS.get(form).map_or(FORMS[0].1, |(_, keys)| *keys);
    json!({request: id, path: format!("/callcontrol/{}", pbx.own_dn()), data: {}})
}

fn answer_to(socket: &Socket, id: &str) -> Option<Heard> {
    let is_answer = |heard: &Heard| {
        let values = heard.data.as_object().into_iter().flatten();
        values.into_iter().any(|(_, value)| value.as_str() == Some(id))
    };
    socket.heard(is_answer).into_iter().next()
}
