//! Measures the WebSocket: numbering and repetition of events, and the format of requests.

use std::time::Duration;

use serde_json::{Value, json};

use super::finding::Findings;
use super::pbx::Pbx;
use super::socket::{Received, Socket};
use super::until::until;

const ANSWERED_WITHIN: Duration = Duration::from_secs(2);
/// The event type of an answer (3CX facts, section 1.4).
const RESPONSE: i64 = 4;
const UPSERT: i64 = 0;

/// Formats of a request, the likeliest first: name and keys.
const FORMS: [(&str, [&str; 3]); 3] = [
    ("RequestID", ["RequestID", "Path", "RequestData"]),
    ("request_id", ["request_id", "path", "request_data"]),
    ("requestId", ["requestId", "path", "requestData"]),
];

/// Requests the state of the route point in each format until one is answered. Returns the index of that format.
pub(super) async fn request(pbx: &Pbx, socket: &Socket, findings: &mut Findings) -> Option<usize> {
    const NAME: &str = "WebSocket request: keys";
    const EXPECTED: &str = "RequestID and Path are answered by an event of type 4";
    for (place, (form, _)) in FORMS.iter().enumerate() {
        let id = format!("precall-{place}");
        socket.send_request(&written(pbx, place, &id));
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
        let value = format!("the format `{form}` is answered, {status}, with the keys {}", keys.join(", "));
        findings.measured(NAME, value, EXPECTED, place == 0 && answer.kind == Some(RESPONSE));
        return Some(place);
    }
    let forms: Vec<&str> = FORMS.iter().map(|(form, _)| *form).collect();
    findings.measured(NAME, format_args!("none of {} is answered", forms.join(", ")), EXPECTED, false);
    None
}

/// Opens a second connection and compares the sequence numbers. `form` is the index of an answered format.
pub(super) async fn sequence(
    pbx: &Pbx,
    first: &Socket,
    form: Option<usize>,
    findings: &mut Findings,
) -> Result<(), String> {
    const NAME: &str = "events: sequence";
    let second = Socket::open(pbx).await?;
    if let Some(form) = form {
        first.send_request(&written(pbx, form, "precall-first"));
        second.send_request(&written(pbx, form, "precall-second"));
    }
    // Without an answer, a repeated Upsert of the leg may still come.
    until(ANSWERED_WITHIN, || second.received(|_| true).first().map(|_| ())).await;
    let numbers = |socket: &Socket| -> Vec<i64> {
        socket.received(|_| true).iter().filter_map(|heard| heard.sequence).collect()
    };
    let (of_first, of_second) = (numbers(first), numbers(&second));
    let (Some(began), Some(last), Some(other)) = (of_first.first(), of_first.last(), of_second.first())
    else {
        findings.not_measured(NAME, "too few numbered events came");
        return Ok(());
    };
    let gaps = of_first.iter().zip(of_first.iter().skip(1)).filter(|(one, next)| **next != *one + 1).count();
    let gaps = format!("{gaps} gaps in {} events", of_first.len());
    const EXPECTED: &str = "each connection has its own count, without gaps";
    let is_whole = gaps.starts_with("0 ");
    if other < last {
        let value = format!("each connection has its own count, from {began} and from {other}; {gaps}");
        findings.measured(NAME, value, EXPECTED, is_whole);
    } else {
        let value = format!(
            "one count for all: the second connection began at {other}, the first was at {last}; {gaps}"
        );
        findings.measured(NAME, value, EXPECTED, false);
    }
    Ok(())
}

/// Measures the Upserts of the leg so far.
pub(super) fn upserts(pbx: &Pbx, leg: &str, socket: &Socket, findings: &mut Findings) {
    let entity = format!("/callcontrol/{}/participants/{leg}", pbx.own_dn());
    let upserts = socket.received(|heard| heard.kind == Some(UPSERT) && heard.entity == entity);
    let with_data = upserts.iter().filter(|heard| !heard.data.is_null()).count();
    let mut apart: Vec<Duration> = upserts
        .iter()
        .zip(upserts.iter().skip(1))
        .map(|(one, next)| next.at.saturating_duration_since(one.at))
        .collect();
    apart.sort_unstable();
    let middle = apart.get(apart.len() / 2).map_or(0, Duration::as_millis);
    let value = format!("{} of one leg, mostly {middle} ms apart", upserts.len());
    findings.measured("events: Upserts", value, "repeated about every 750 ms", upserts.len() > 1);
    let value = if with_data == 0 {
        "null".to_owned()
    } else {
        format!("filled in {with_data} of {}", upserts.len())
    };
    findings.measured("events: attached_data of Upserts", value, "null", with_data == 0);
}

fn written(pbx: &Pbx, form: usize, id: &str) -> Value {
    let [request, path, data] = FORMS.get(form).map_or(FORMS[0].1, |(_, keys)| *keys);
    json!({request: id, path: format!("/callcontrol/{}", pbx.own_dn()), data: {}})
}

fn answer_to(socket: &Socket, id: &str) -> Option<Received> {
    let is_answer = |heard: &Received| {
        let values = heard.data.as_object().into_iter().flatten();
        values.into_iter().any(|(_, value)| value.as_str() == Some(id))
    };
    socket.received(is_answer).into_iter().next()
}
