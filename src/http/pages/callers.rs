//! `/callers`: who has a voice: mapping, speaker, consent, sample, cached voice; upload of samples.

use std::collections::HashMap;

use actix_web::{HttpResponse, web};
use maud::{Markup, html};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use precall_store::people::callers::{self, CallerRow, SampleSeen};
use precall_store::reads::caller_voices::{self, CachedVoice, CallerVoice};
use serde::Deserialize;
use serde_json::json;

use super::error::PageError;
use super::shell::{Page, Section};
use super::viewer::Viewer;
use super::{parts, shell};
use crate::config::Scope;
use crate::http::api::caller_id;
use crate::http::api::callers::{ACCOUNT, number_of_cursor};
use crate::http::api::page::limit;
use crate::http::api::read::read;
use crate::http::api::sight::{Sight, seen};
use crate::http::app_state::AppState;
use crate::http::clock;

/// Query of the page.
#[derive(Deserialize)]
pub(crate) struct Query {
    /// First digits of the number, for those who see numbers.
    prefix: Option<String>,
    cursor: Option<String>,
}

/// `GET /callers`.
pub(crate) async fn page(
    app: web::Data<AppState>,
    viewer: Viewer,
    query: web::Query<Query>,
) -> Result<HttpResponse, PageError> {
    let sight = viewer.sight();
    // Digit by digit it would show the numbers.
    let prefix = query.prefix.as_deref().filter(|_| sight == Sight::Whole).unwrap_or_default();
    let wanted = caller_id::prefix(&app, prefix)?;
    let (behind, most) = (number_of_cursor(&app, query.cursor.as_deref()).await?, limit(None)?);
    let rows = callers::list(&app.pool, ACCOUNT, &wanted, &behind, most.saturating_add(1));
    let mut rows = read(&app, rows).await?;
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    let has_more = rows.len() > most;
    rows.truncate(most);
    let next = rows.last().filter(|_| has_more).map(|row| row.id);
    let numbers: Vec<String> = rows.iter().map(|row| row.caller_id.clone()).collect();
    let voices = read(&app, caller_voices::of_callers(&app.pool, ACCOUNT, &numbers)).await?;
    let voices: HashMap<&str, &CallerVoice> =
        voices.iter().map(|voice| (voice.caller_id.as_str(), voice)).collect();
    let plays = app.settings().sample_playback && viewer.may(Scope::Voice);
    let prefixed = utf8_percent_encode(prefix, NON_ALPHANUMERIC).to_string();
    let body = html! {
        (tools(&viewer, prefix))
        @if rows.is_empty() {
            (parts::empty("No caller has a voice yet. Map one here, by `precall callers import FILE`, or by \
                PUT /api/v1/callers/NUMBER; the next call of this number is then answered with the voice."))
        } @else {
            div .scroll {
                table .callers .stack aria-label="Callers" {
                    thead {
                        tr {
                            th scope="col" { "Caller" }
                            th scope="col" { "Voice" }
                            th scope="col" { "Speaker and consent" }
                            th scope="col" { "Sample" }
                            th scope="col" { "Cached voice" }
                            th scope="col" { "Who may hear it" }
                            th scope="col" { "Actions" }
                        }
                    }
                    tbody {
                        @for row in &rows {
                            (line(&viewer, row, voices.get(row.caller_id.as_str()).copied(), plays))
                        }
                    }
                }
            }
        }
        nav .pager aria-label="Pages of the list" {
            @if query.cursor.is_some() { a href={ "/callers?prefix=" (prefixed) } { "First callers" } }
            @if let Some(next) = next {
                a href={ "/callers?prefix=" (prefixed) "&cursor=" (next) } rel="next" { "More callers" }
            }
        }
    };
    let page = Page {
        title: "Callers and voices",
        section: Section::Callers,
        files: &["callers/callers.css", "callers/callers.js"],
    };
    let answer = shell::page(&viewer, &page, &body);
    Ok(seen(&viewer.principal, answer, "callers_seen", None, json!({ "callers": rows.len() })))
}

fn tools(viewer: &Viewer, prefix: &str) -> Markup {
    let acts = viewer.may(Scope::Voice) || viewer.may(Scope::Operate);
    html! {
        @if viewer.sight() == Sight::Whole {
            form .filters action="/callers" role="search" {
                label { "Number begins with" input name="prefix" value=(prefix) maxlength="64" autocomplete="off"; }
                button { "Filter" }
            }
        } @else if acts {
            p .notice { "Numbers are masked, so no caller in the list can be changed. With the scope pii, choose \
                \"Show numbers and words\" in the menu." }
        }
        @if viewer.may(Scope::Admin) {
            details {
                summary { "Map a caller" }
                form #new-caller .filters {
                    label { "Number" input name="number" required maxlength="128" autocomplete="off"; }
                    label { "Sample (path or URL)" input name="voice_sample_url" required maxlength="1024"; }
                    label { "Name of the voice" input name="voice_name" required maxlength="200"; }
                    button type="submit" { "Map" }
                }
            }
        }
    }
}

fn line(viewer: &Viewer, row: &CallerRow, voice: Option<&CallerVoice>, plays: bool) -> Markup {
    let sight = viewer.sight();
    html! {
        tr {
            td data-label="Caller" { (sight.number(row.caller_id.clone())) }
            td data-label="Voice" {
                (row.voice_name)
                @if let Some(words) = &row.description { br; span .quiet { (words) } }
            }
            td data-label="Speaker" { (consent(viewer, row, voice)) }
            td data-label="Sample" { (sample(row)) @if plays { (player(viewer, row)) } }
            td data-label="Cached voice" { (cached(voice.and_then(|voice| voice.voice.as_ref()))) }
            td data-label="Heard by" {
                (match row.voice_policy.as_deref() {
                    Some("number") => "who calls from the number",
                    Some("proof") => "who gives the PIN",
                    Some("never") => "nobody",
                    _ => "as the line says",
                })
                @if row.has_pin { br; span .quiet { "has a PIN" } }
            }
            td data-label="Actions" { @if sight == Sight::Whole { (actions(viewer, row, voice)) } }
        }
    }
}

fn consent(viewer: &Viewer, row: &CallerRow, voice: Option<&CallerVoice>) -> Markup {
    let name = voice.and_then(|voice| voice.speaker.clone()).filter(|_| viewer.may(Scope::Voice));
    let name = viewer.sight().personal(name);
    html! {
        @if row.speaker.is_none() { span .quiet { "no speaker" } }
        @else {
            (name.as_deref().unwrap_or("a speaker"))
            br;
            @match voice.and_then(|voice| voice.consented_at) {
                Some(at) => { "agreed " (parts::time(at)) }
                None => { span .light .warn { "no consent holds" } }
            }
        }
    }
}

fn sample(row: &CallerRow) -> Markup {
    html! {
        @match &row.sample {
            SampleSeen::Usable => { span .light .good { "usable" } }
            SampleSeen::Refused(why) => { span .light .bad { "refused" } br; (why) }
            SampleSeen::NotLooked => { span .light .quiet { "not looked at yet" } }
        }
        @if let Some(at) = row.sample_checked_at { br; span .quiet { "looked at " (parts::time(at)) } }
    }
}

/// A player of the sample. Its address has the id of the mapping, so that a masked page shows no number.
fn player(viewer: &Viewer, row: &CallerRow) -> Markup {
    let label = format!("Sample of {}", viewer.sight().number(row.caller_id.clone()));
    html! {
        br;
        audio controls preload="none" aria-label=(label) src={ "/api/v1/callers/" (row.id) "/sample" } {}
        output .bad {}
    }
}

fn cached(voice: Option<&CachedVoice>) -> Markup {
    let Some(voice) = voice else { return html! { span .quiet { "none: cloned at the next call" } } };
    let now = clock::wall().0 / 1_000_000;
    let old = now.saturating_sub(voice.created_at.as_second());
    let left = voice.expires_at.as_second().saturating_sub(now);
    html! {
        (parts::age(old)) " old, "
        @if left > 0 { "for another " (parts::age(left)) } @else { "expired" }
        br;
        span .quiet {
            (voice.calls) (if voice.calls == 1 { " use, the last " } else { " uses, the last " })
            (parts::time(voice.last_used_at))
        }
        br;
        span .id { (voice.id) }
    }
}

fn actions(viewer: &Viewer, row: &CallerRow, voice: Option<&CallerVoice>) -> Markup {
    let number = utf8_percent_encode(&row.caller_id, NON_ALPHANUMERIC).to_string();
    html! {
        @if viewer.may(Scope::Voice) {
            form .action .upload action={ "/api/v1/callers/" (number) "/sample" } {
                label {
                    span .unseen { "New sample for " (row.caller_id) }
                    input type="file" name="file" required accept="audio/*,video/mp4,video/webm,.caf,.aiff,.flac,.opus";
                }
                button type="submit" { "Upload sample" }
                progress max="100" value="0" hidden {}
                output {}
            }
        }
        @if viewer.may(Scope::Operate) && voice.is_some_and(|voice| voice.voice.is_some()) {
            (parts::action("DELETE", &format!("/api/v1/cache/{number}"), "Forget the cached voice",
                "The voice is deleted at ElevenLabs. The next call clones it again.", &html! {}))
        }
    }
}
