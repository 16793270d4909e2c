//! The log lines of a call, from memory. Scope `operate`. Secrets and numbers are hidden in them as in the log.

use maud::{Markup, html};
use serde_json::{Map, Value};

use crate::http::pages::parts;

/// Fields that have a place of their own, and the call's id.
const SHOWN_APART: [&str; 4] = ["ts", "level", "msg", "call"];

/// The lines, oldest first.
pub(super) fn shown((lines, dropped): &(Vec<String>, u64)) -> Markup {
    if lines.is_empty() {
        return parts::empty(
            "No log line is kept. Lines are in memory only, from the level LOG_LEVEL: precall was restarted since, the \
             call is long over, or it had no such line.",
        );
    }
    html! {
        @if *dropped > 0 { p .quiet { (dropped) " older lines are in the log file only." } }
        ol .log {
            @for line in lines { (one(line)) }
        }
    }
}

fn one(line: &str) -> Markup {
    // A line that was cut is no JSON.
    let Ok(fields) = serde_json::from_str::<Map<String, Value>>(line) else {
        return html! { li { code { (line) } } };
    };
    let text = |name: &str| fields.get(name).and_then(Value::as_str).unwrap_or_default();
    let tone = match text("level") {
        "critical" | "error" => "bad",
        "warning" => "warn",
        _ => "quiet",
    };
    let others = fields.iter().filter(|(name, _)| !SHOWN_APART.contains(&name.as_str()));
    html! {
        li {
            time datetime=(text("ts")) { (text("ts").get(11..23).unwrap_or_default()) }
            " " span class=(tone) { (text("level")) } " " (text("msg"))
            @for (name, value) in others {
                " " span .field { (name) "=" (shown_value(value)) }
            }
        }
    }
}

fn shown_value(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    //! Tests of the shown lines.

    use super::*;

    #[test]
    fn a_line_has_its_fields_as_text() {
        let line = serde_json::json!({
            "ts": "2026-11-30T05:00:01.123456Z", "level": "warning", "msg": "<b>retry", "call": "1",
            "to": "+49*****678", "took_us": 1234567,
        });
        let page = shown(&(vec![line.to_string(), "{\"msg\":\"cut short".to_owned()], 3)).into_string();
        for part in [
            "05:00:01.123",
            "class=\"warn\">warning",
            "&lt;b&gt;retry",
            "to=+49*****678",
            "cut short",
            "took_us=1234567",
            "3 older lines",
        ] {
            assert!(page.contains(part), "{part}: {page}");
        }
    }
}
