//! What an operator does to the whole installation: bypass, test call, drain.

use maud::{Markup, html};
use precall_store::bypass::BypassRow;
use precall_store::canary::{self, CanaryRun};

use crate::config::Scope;
use crate::http::app_state::AppState;
use crate::http::clock;
use crate::http::pages::parts;
use crate::http::pages::viewer::Viewer;

/// Test calls that are shown.
const RUNS: i64 = 5;

/// The actions, and what they concern. A key that may not act sees the state alone.
pub(super) async fn actions(app: &AppState, viewer: &Viewer) -> Markup {
    let runs = canary::recent(&app.pool, RUNS).await.unwrap_or_default();
    html! {
        (bypass(&app.engine.bypasses(), viewer))
        (test_calls(app, &runs, viewer))
        @if viewer.may(Scope::Admin) { (drain(app)) }
    }
}

fn bypass(rows: &[BypassRow], viewer: &Viewer) -> Markup {
    let may = viewer.may(Scope::Operate);
    let name = |row: &BypassRow| if row.line.is_empty() { "every line".to_owned() } else { row.line.clone() };
    html! {
        section aria-labelledby="bypass" {
            h2 #bypass { "Bypass" }
            @if rows.is_empty() {
                (parts::empty("No line is bypassed: precall takes the calls of all lines. With a bypass, new calls \
                    of a line go to its fallback destination, without any contact to ElevenLabs."))
            }
            @for row in rows {
                div .notice {
                    "New calls of " b { (name(row)) } " go to the fallback destination"
                    @if let Some(until) = row.until.and_then(clock::timestamp) { ", until " (parts::time(until)) }
                    ". " (row.who) ": " (row.reason) " "
                    @if may {
                        @let question = format!("precall takes the calls of {} again.", name(row));
                        (parts::action("PUT", "/api/v1/bypass", "Switch off", &question, &html! {
                            input type="checkbox" name="on" hidden;
                            @if !row.line.is_empty() { input type="hidden" name="line" value=(row.line); }
                            label {
                                span .unseen { "Reason" }
                                input name="reason" required maxlength="500" placeholder="reason";
                            }
                        }))
                    }
                }
            }
            @if may {
                (parts::action("PUT", "/api/v1/bypass", "Switch a bypass on",
                    "New calls go to the fallback destination at once, and no voice agent answers them.", &html! {
                    input type="checkbox" name="on" checked hidden;
                    label { "Line" input name="line" placeholder="empty: every line" maxlength="256"; }
                    label { "For seconds"
                        input name="for_seconds" type="number" min="1" max="31536000" placeholder="no end";
                    }
                    label { "Reason" input name="reason" required maxlength="500"; }
                }))
            }
        }
    }
}

fn test_calls(app: &AppState, runs: &[CanaryRun], viewer: &Viewer) -> Markup {
    let (view, settings) = (app.engine.canary(), app.engine.canary_settings());
    html! {
        section aria-labelledby="canary" {
            h2 #canary { "Test calls of precall (canary)" }
            p {
                @match settings.every {
                    Some(every) => { "Every " (every.as_secs() / 60) " minutes" }
                    None => { "Only when asked: CANARY_EVERY_MINUTES is not set" }
                }
                @if let Some(next) = view.next_at.and_then(clock::timestamp) {
                    ", the next one at " (parts::time(next))
                }
                @if view.running.is_some() { ", " b { "one runs now" } }
                @if view.failed_in_a_row > 0 { ", " b .bad { (view.failed_in_a_row) " failed in a row" } }
                "."
            }
            @if runs.is_empty() {
                (parts::empty("No test call was made yet. A test call goes through greeting, voice and agent, and \
                    needs CANARY_CLIENT_ID or CANARY_NUMBER."))
            } @else {
                div .scroll {
                    table {
                        thead {
                            tr {
                                th scope="col" { "Began" } th scope="col" { "Outcome" } th scope="col" { "Route" }
                                th scope="col" { "Asked by" } th scope="col" { "Step and words" }
                            }
                        }
                        tbody { @for run in runs { (row(run)) } }
                    }
                }
            }
            @if viewer.may(Scope::Operate) {
                (parts::action("POST", "/api/v1/canary", "Make a test call",
                    "precall calls itself now. It costs what a short conversation costs.", &html! {}))
            }
        }
    }
}

fn row(run: &CanaryRun) -> Markup {
    html! {
        tr {
            td { @if let Some(at) = clock::timestamp(run.started_at) { (parts::time(at)) } }
            td {
                @match run.outcome.as_deref() {
                    Some("passed") => { span .light .good { "passed" } }
                    Some("failed") => { span .light .bad { "failed" } }
                    Some(outcome) => { (parts::words(outcome)) }
                    None => { "running" }
                }
            }
            td { (run.route) }
            td { (run.asked_by.as_deref().unwrap_or("schedule")) }
            td {
                @if let Some(step) = &run.step { (parts::words(step)) ": " }
                (run.words.as_deref().unwrap_or_default())
                @if let Some(call) = run.call { " " a href={ "/calls/" (call) } { "call" } }
            }
        }
    }
}

fn drain(app: &AppState) -> Markup {
    let (live, seconds) =
        (app.engine.health().live_calls, app.reloads.running().server.drain_timeout.as_secs());
    let question = format!(
        "This process takes no new calls, hands its {live} live calls to a standby or waits up to {seconds} s for \
         them, and then ends. It cannot be taken back. Without a service manager it does not start again."
    );
    html! {
        section aria-labelledby="drain" {
            h2 #drain { "Drain" }
            p .quiet { "The same as SIGTERM: for an update, or to move to another host." }
            (parts::action("POST", "/api/v1/drain", "Drain and stop this process", &question, &html! {}))
        }
    }
}
