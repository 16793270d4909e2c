//! `/lines`: what each called number gives its calls; `/lines/{number}`: its versions, and a form for the next one.

mod form;

use actix_web::{HttpResponse, web};
use maud::{Markup, html};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use precall_store::lines as store;
use serde::Deserialize;

use super::error::PageError;
use super::shell::{Page, Section};
use super::viewer::Viewer;
use super::{parts, shell};
use crate::config::Scope;
use crate::http::api::lines::{self, LineItem, VersionItem};
use crate::http::api::page::{limit, seq_of_cursor};
use crate::http::api::read::read;
use crate::http::app_state::AppState;

const FILES: &[&str] = &["lines/lines.css", "lines/lines.js"];

/// `GET /lines`.
pub(crate) async fn list(app: web::Data<AppState>, viewer: Viewer) -> Result<HttpResponse, PageError> {
    let mut rows = read(&app, store::all(&app.pool)).await?;
    rows.sort_by(|a, b| a.number.cmp(&b.number));
    let lines: Vec<LineItem> = rows.into_iter().map(LineItem::from).collect();
    let body = html! {
        p .quiet { "The default line comes from the environment and takes every call whose number has no line here." }
        @if lines.is_empty() {
            (parts::empty("No number has a line of its own. Add one below, or by PUT /api/v1/lines/NUMBER: its calls \
                then have their own agent, greeting, voices and limits."))
        } @else { (table(&lines)) }
        @if viewer.may(Scope::Admin) {
            form #open-line .filters {
                label { "Called number" input name="number" required maxlength="128" autocomplete="off"; }
                button type="submit" { "Open or add a line" }
            }
        }
    };
    Ok(shell::page(&viewer, &Page { title: "Lines", section: Section::Lines, files: FILES }, &body))
}

fn path_of(number: &str) -> String {
    format!("/lines/{}", utf8_percent_encode(number, NON_ALPHANUMERIC))
}

fn table(lines: &[LineItem]) -> Markup {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    html! {
        div .scroll data-rows="" {
            table .stack aria-label="Lines" {
                thead {
                    tr {
                        th scope="col" { "Called number" }
                        th scope="col" .number { "Version" }
                        th scope="col" { "On trial" }
                        th scope="col" { "Agent" }
                        th scope="col" { "Language" }
                        th scope="col" { "Fallback destination" }
                        th scope="col" .number { "Most calls" }
                    }
                }
                tbody {
                    @for line in lines {
                        tr data-href=(path_of(&line.number)) {
                            td data-label="Called number" { a href=(path_of(&line.number)) { (line.number) } }
                            td .number data-label="Version" {
                                (line.version.map_or_else(|| "by hand".to_owned(), |it| it.to_string()))
                            }
                            td data-label="On trial" {
                                @if let Some(trial) = &line.trial {
                                    "version " (trial.version) " for " (trial.percent) " % of callers"
                                }
                            }
                            td .id data-label="Agent" { (text(&line.settings.agent_id)) }
                            td data-label="Language" { (text(&line.settings.language)) }
                            td data-label="Fallback" { (text(&line.settings.fallback_destination)) }
                            td .number data-label="Most calls" {
                                (line.settings.max_live_calls.map(|it| it.to_string()).unwrap_or_default())
                            }
                        }
                    }
                }
            }
        }
        p .quiet { "An empty cell takes the value of the default line." }
    }
}

/// Query of a line's page.
#[derive(Deserialize)]
pub(crate) struct Query {
    cursor: Option<String>,
}

/// `GET /lines/{number}`.
pub(crate) async fn one(
    app: web::Data<AppState>,
    viewer: Viewer,
    number: web::Path<String>,
    query: web::Query<Query>,
) -> Result<HttpResponse, PageError> {
    let (most, cursor) = (limit(None)?, seq_of_cursor(query.cursor.as_deref())?);
    let may = viewer.may(Scope::Admin);
    let line = match lines::shown(&app, &number, most, cursor).await {
        Ok(line) => line,
        // Its first version is written here.
        Err(problem) if problem.code == crate::http::error::Code::LineNotFound && may => {
            let body = html! {
                h2 { (number) }
                (parts::empty("This number has no line yet. The first version makes one."))
                (form::form(&number, None))
            };
            return Ok(shell::page(
                &viewer,
                &Page { title: &number, section: Section::Lines, files: FILES },
                &body,
            ));
        }
        Err(problem) => return Err(problem.into()),
    };
    let path = format!("/api/v1{}", path_of(&line.number));
    let newest = line.versions.items.first().map(|version| &version.settings);
    let current = line.current.as_ref().map(|current| &current.settings);
    let body = html! {
        h2 { (line.number) }
        @match &line.current {
            None => { p .notice { "No version counts: calls of this number use the default line." } }
            Some(current) => {
                p {
                    @match current.version {
                        Some(version) => { "Version " (version) " counts" }
                        None => { "A row that was written by hand counts" }
                    }
                    @if let Some(trial) = &current.trial {
                        "; version " (trial.version) " is on trial for " (trial.percent) " of 100 callers"
                    }
                    "."
                }
            }
        }
        @if may {
            div .actions {
                (parts::action("POST", &format!("{path}/rollback"), "Roll back",
                    "The trial ends; without one, the version that was published before counts again.", &html! {}))
                (parts::action("DELETE", &path, "Delete the line",
                    "Calls of this number use the default line. The versions stay.", &html! {}))
            }
        }
        h2 { "Versions" }
        (versions(&line.versions.items, &path, may))
        nav .pager aria-label="Pages of the versions" {
            @if let Some(next) = &line.versions.next_cursor {
                a href={ (path_of(&line.number)) "?cursor=" (next) } rel="next" { "Older versions" }
            }
        }
        @if may {
            h2 { "The next version" }
            (form::form(&line.number, newest.or(current)))
        }
    };
    Ok(shell::page(&viewer, &Page { title: "Line", section: Section::Lines, files: FILES }, &body))
}

fn versions(versions: &[VersionItem], path: &str, may: bool) -> Markup {
    html! {
        div .scroll {
            table .stack aria-label="Versions" {
                thead {
                    tr {
                        th scope="col" .number { "Version" }
                        th scope="col" { "State" }
                        th scope="col" { "Written" }
                        th scope="col" { "Sets" }
                        th scope="col" { "Calls of 30 days" }
                        th scope="col" { "Publish" }
                    }
                }
                tbody { @for version in versions { (row(version, path, may)) } }
            }
        }
    }
}

fn publish_question(version: &VersionItem) -> String {
    format!("Version {} counts for new calls. Live calls keep what they began with.", version.version)
}

fn row(version: &VersionItem, path: &str, may: bool) -> Markup {
    let outcomes = &version.outcomes;
    html! {
        tr {
            td .number data-label="Version" { (version.version) }
            td data-label="State" { (version.state) }
            td data-label="Written" {
                (parts::time(version.created_at)) " by " (version.created_by)
                @if let Some(note) = &version.note { br; span .quiet { (note) } }
                @if let (Some(at), Some(by)) = (version.published_at, &version.published_by) {
                    br; span .quiet { "published " (parts::time(at)) " by " (by) }
                }
            }
            td .sets data-label="Sets" { (form::set(&version.settings)) }
            td data-label="Calls, 30 days" {
                (outcomes.completed) " completed, " (outcomes.failed) " failed, " (outcomes.live) " live"
                @for (cause, calls) in &outcomes.causes { br; span .quiet { (parts::words(cause)) ": " (calls) } }
            }
            td data-label="Publish" {
                @if may && version.state != "published" {
                    (parts::action("POST", &format!("{path}/publish"), "Publish", &publish_question(version), &html! {
                        input type="number" name="version" value=(version.version) hidden;
                        label { "For % of callers"
                            input type="number" name="percent" min="1" max="100" value="100";
                        }
                    }))
                }
            }
        }
    }
}
