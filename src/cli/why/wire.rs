//! What went over the wire for a call, a line a message. Pure.

use std::fmt::Write as _;

use serde_json::Value;

/// The messages for people.
pub(super) fn shown(wire: &Value) -> String {
    let items = wire.get("items").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    if items.is_empty() {
        return "Nothing is kept of the wire: precall was restarted since, or the call is long over.\n"
            .to_owned();
    }
    let mut page = String::from("On the wire (numbers, words and secrets are left out):\n");
    for item in items {
        let text = |name: &str| item.get(name).and_then(Value::as_str).unwrap_or_default();
        let time = text("at").get(11..23).unwrap_or_default();
        let arrow = if text("way") == "sent" { "->" } else { "<-" };
        let _infallible = write!(page, "{time} {arrow} {} {}", text("peer"), text("what"));
        let number = |name: &str| item.get(name).and_then(Value::as_u64);
        if let Some(status) = number("status") {
            let _infallible = write!(page, ", {status}");
        }
        if let Some(took) = number("took_ms") {
            let _infallible = write!(page, " after {took} ms");
        }
        for (name, before) in [("request_id", " request "), ("failure", ": ")] {
            if !text(name).is_empty() {
                let _infallible = write!(page, "{before}{}", text(name));
            }
        }
        page.push('\n');
        for (name, arrow) in [("sent", "->"), ("received", "<-")] {
            if !text(name).is_empty() {
                let _infallible = writeln!(page, "             {arrow} {}", text(name));
            }
        }
    }
    if let Some(dropped) = wire.get("dropped").and_then(Value::as_u64).filter(|dropped| *dropped > 0) {
        let _infallible = writeln!(page, "{dropped} messages are missing after the first 64.");
    }
    page
}

#[cfg(test)]
mod tests {
    //! Tests of the shown wire.

    use serde_json::json;

    use super::*;

    #[test]
    fn a_request_is_shown_with_its_answer() {
        let request = json!({ "at": "2026-01-02T03:04:05.678901Z", "peer": "3cx", "way": "sent", "status": 422,
            "what": "POST /callcontrol/900/participants/7/answer", "took_ms": 12, "sent": "{}", "received": null });
        let page = shown(&json!({ "items": [request], "dropped": 3 }));
        let first = "03:04:05.678 -> 3cx POST /callcontrol/900/participants/7/answer, 422 after 12 ms\n";
        assert!(
            page.contains(first) && page.contains("-> {}\n") && page.contains("3 messages are missing"),
            "{page}"
        );
        assert!(shown(&json!({ "items": [] })).contains("restarted"));
    }
}
