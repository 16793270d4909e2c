//! The head of a call's page: why, in the sentences of `precall why`.

use maud::{Markup, html};

use super::moment;
use super::record::Record;
use crate::http::pages::parts;
use crate::story::Line;

/// Words of others that the head shows; the event log has all.
const WORDS_MAX: usize = 3;

/// Who, how it ended, and what to do about it.
pub(super) fn shown(record: &Record) -> Markup {
    let story = record.story();
    let row = &record.detail.call;
    let has_failed = row.status == "failed" || row.blame.is_some();
    html! {
        p .who {
            @if has_failed && !record.is_live() { span .state.s-failed { "ended" } }
            @else { (parts::state(&row.state)) }
            " " b { (record.caller().unwrap_or_else(|| "withheld number".to_owned())) }
            " on " b { (row.line) }
            @if let Some(called) = &row.called_number { " (" (called) ")" }
            @if let Some(route) = &row.route { " \u{b7} route " (route) }
            @if row.canary { " \u{b7} test call of precall" }
            " \u{b7} " (parts::time(row.started_at))
            @if let Some(live) = &record.live {
                @if let Some(deadline) = &live.deadline {
                    " \u{b7} next deadline at " (moment::offset(deadline.due, record.begin()))
                }
            }
        }
        p .why {
            (story.when) " "
            @match (&story.why, &story.whose) {
                (Some(why), Some(whose)) => { b { "Why it ended: " } (why) ". " b { "Whose fault: " } (whose) ". " },
                (Some(why), None) => { b { "Why it ended: " } (why) ". " },
                (None, _) => "It has not ended. ",
            }
            b { "The caller: " } (story.caller) ". "
            @if let Some(voice) = &story.voice { b { "The voice: " } (voice) "." }
        }
        p .advice {
            @for (after, words) in words(record, &story.others) {
                span .words { (after) " " q { (words) } } " "
            }
            b { "What to do: " }
            @if story.to_do.is_empty() { "Nothing." } @else { (story.to_do.join(" ")) }
        }
        p .ids.id {
            "id " (row.id)
            @if let Some(id) = &row.threecx_call_id { " \u{b7} 3CX id " (id) }
            @if let Some(id) = &row.conversation_id { " \u{b7} conversation " (id) }
        }
    }
}

/// The last words of others about failures: those of the log, then those beside it.
fn words<'a>(record: &'a Record, others: &'a [Line]) -> Vec<(String, &'a str)> {
    let begin = record.begin();
    let in_log = record
        .moments
        .iter()
        .filter_map(|moment| Some((moment::offset(moment.at, begin), moment.detail.as_deref()?)));
    let mut all: Vec<(String, &str)> = Vec::new();
    for (after, words) in in_log.chain(others.iter().map(|line| (line.after.clone(), line.words.as_str()))) {
        // The same words are shown once.
        all.retain(|(_, known)| *known != words);
        all.push((after, words));
    }
    all.split_off(all.len().saturating_sub(WORDS_MAX))
}
