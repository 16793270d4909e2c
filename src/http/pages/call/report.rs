//! What ElevenLabs reported about the conversations: outcome, cost, evaluation, collected data.

use maud::{Markup, html};
use precall_store::reads::calls::ConversationRow;
use serde_json::Value;

use super::record::Record;
use crate::http::api::sight::Sight;
use crate::http::pages::parts;

/// The conversations with their reports.
pub(super) fn shown(record: &Record) -> Markup {
    if record.conversations.is_empty() {
        return parts::empty(
            "There is no conversation at ElevenLabs yet. It appears with the first attempt to bring an agent in.",
        );
    }
    html! { @for row in &record.conversations { (one(record, row)) } }
}

/// Fields of a report as they are shown.
const FIELDS: [(&str, &str); 3] =
    [("reason of the end", "termination_reason"), ("answered", "answered"), ("failure", "failure")];

fn one(record: &Record, row: &ConversationRow) -> Markup {
    let report: Value =
        row.report.as_ref().and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or_default();
    let text = |name: &str| report.get(name).filter(|value| !value.is_null()).map(plain);
    html! {
        h3 { (row.purpose) " conversation " (row.ordinal) }
        dl {
            dt { "began" } dd { (record.offset(row.started_at)) }
            @if let Some(id) = &row.conversation_id { dt { "id" } dd .id { (id) } }
            dt { "dial" } dd { (parts::words(&row.dial)) }
            dt { "reported" }
            dd { (parts::words(&row.outcome))
                @match row.reported_at {
                    Some(at) => { " at " (parts::time(at)) },
                    None => " (no report yet)",
                }
            }
            @if let Some(seconds) = row.duration_seconds { dt { "duration" } dd { (parts::clock(i64::from(seconds))) } }
            @for (name, field) in FIELDS {
                @if let Some(words) = text(field) { dt { (name) } dd { (words) } }
            }
            @if let Some(cost) = text("cost") { dt { "cost" } dd { (cost) " credits"
                @if let Some(dollars) = text("cost_usd") { " (" (dollars) " USD)" } } }
        }
        @match (report.get("analysis").filter(|analysis| analysis.is_object()), record.sight) {
            (Some(analysis), Sight::Whole) => (analysed(analysis)),
            (Some(_), Sight::Masked) => p .quiet { "Evaluation and collected data are hidden, as the transcript is." },
            (None, _) => "",
        }
    }
}

fn analysed(analysis: &Value) -> Markup {
    let text = |name: &str| analysis.get(name).and_then(Value::as_str);
    let rows = |name: &str| analysis.get(name).and_then(Value::as_object).into_iter().flatten();
    let parts_of = [
        ("Evaluation", "evaluation_criteria_results", "result"),
        ("Collected data", "data_collection_results", "value"),
    ];
    html! {
        @if let Some(title) = text("call_summary_title") { p { b { (title) } } }
        @if let Some(verdict) = text("call_successful") { p { "Verdict: " (verdict) } }
        @if let Some(summary) = text("transcript_summary") { p { (summary) } }
        @for (title, list, field) in parts_of {
            @if rows(list).next().is_some() {
                table .analysis {
                    caption { (title) }
                    thead { tr { th scope="col" { "Name" } th scope="col" { (field) } th scope="col" { "Why" } } }
                    tbody {
                        @for (name, found) in rows(list) {
                            tr {
                                td { (name) }
                                td { (found.get(field).map(plain).unwrap_or_default()) }
                                td { (found.get("rationale").map(plain).unwrap_or_default()) }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// A value as text.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => "nothing".to_owned(),
        other => other.to_string(),
    }
}
