//! `/system`: the inside of the process: actors, providers, durability, times against their goals; and what an operator
//! does to the whole installation. Its script fetches the figures again every few seconds while the page is seen.

mod actions;
mod goals;
mod providers;
mod tree;

use actix_web::{HttpResponse, web};
use jiff::Timestamp;
use maud::{Markup, html};
use precall_actors::api::{Health, System};
use precall_actors::durability::leadership::EngineRole;
use precall_call::At;
use precall_store::reads::leader::{self, LeaderRow};

use super::error::PageError;
use super::shell::{Page, Section};
use super::viewer::Viewer;
use super::{answer, health, parts, shell};
use crate::http::app_state::AppState;
use crate::http::clock;
use crate::http::status::health::HealthAnswer;
use crate::http::status::seen_figures::SeenFigures;

/// `GET /system`.
pub(crate) async fn page(app: web::Data<AppState>, viewer: Viewer) -> Result<HttpResponse, PageError> {
    let body = html! {
        (figures(&app).await)
        (actions::actions(&app, &viewer).await)
    };
    let page =
        Page { title: "System", section: Section::System, files: &["system/system.css", "system/system.js"] };
    Ok(shell::page(&viewer, &page, &body))
}

/// `GET /system/figures`: the part of the page that changes, for its script.
pub(crate) async fn fragment(app: web::Data<AppState>, _: Viewer) -> HttpResponse {
    answer("text/html; charset=utf-8").body(figures(&app).await.into_string())
}

/// Everything but the actions. It is shown without the database as well.
async fn figures(app: &AppState) -> Markup {
    let (health, system, now) = (app.engine.health(), app.engine.system(), clock::now());
    let leader = leader::leader(&app.pool).await.ok();
    let shown = HealthAnswer::of(&health, SeenFigures::All);
    html! {
        div #figures {
            (health::lights(&shown))
            (health::problems(&shown))
            (health::capacity(&shown))
            (process(&health, &system, leader.as_ref()))
            (tree::tree(&health, &system, now))
            (durability(&health, &system, now))
            (goals::goals(&system.times))
            (providers::providers(&system))
        }
    }
}

fn process(health: &Health, system: &System, leader: Option<&Option<LeaderRow>>) -> Markup {
    let started = clock::timestamp(system.started);
    let role = match health.role {
        EngineRole::Unknown => "starting: the database has not answered yet".to_owned(),
        EngineRole::Standby => "standby: another process leads".to_owned(),
        EngineRole::Acting(generation) => format!("leader, start {generation}"),
        EngineRole::Left => "has left: another process leads, or the next start will".to_owned(),
        EngineRole::Superseded => "superseded: another process has taken over".to_owned(),
    };
    html! {
        section aria-labelledby="process" {
            h2 #process { "Process" }
            dl {
                dt { "Version" } dd { (env!("CARGO_PKG_VERSION")) }
                @if let Some(started) = started {
                    dt { "Runs for" } dd { (parts::age(age(started))) ", since " (parts::time(started)) }
                }
                dt { "Role" }
                dd {
                    (role)
                    @if health.draining { ", " b { "draining" } ": no new calls" }
                    @if matches!(health.role, EngineRole::Acting(_)) && !health.acts {
                        ", its lease has run out"
                    }
                }
                dt { "Leads on this database" }
                dd {
                    @match leader {
                        None => { "unknown: the database does not answer" }
                        Some(None) => { "no process has led yet" }
                        Some(Some(row)) => {
                            "start " (row.generation) " since " (parts::time(row.since))
                            @if let Some(lease) = row.lease_ms { ", lease " (lease / 1_000) " s" }
                            @if row.has_left { ", has left" }
                        }
                    }
                }
                @if let Some(Some(LeaderRow { pbx: Some(pbx), since, .. })) = leader {
                    dt { "Holds the PBX" } dd { (pbx) " since " (parts::time(*since)) }
                }
            }
        }
    }
}

fn durability(health: &Health, system: &System, now: At) -> Markup {
    let commits = &system.commits;
    let bytes = |bytes: Option<u64>| bytes.map_or_else(|| "unknown".to_owned(), sized);
    html! {
        section aria-labelledby="durability" {
            h2 #durability { "Durability" }
            dl {
                dt { "Commits" }
                dd {
                    (commits.commits)
                    @if let Some(last) = commits.last { ", the last one " (ago(last, now)) " ago" }
                }
                dt { "Commit time" }
                dd {
                    @if commits.commits == 0 { "no commit yet" }
                    @else {
                        "p50 " (parts::millis(commits.p50)) ", p99 " (parts::millis(commits.p99)) " of the last 512"
                    }
                }
                dt { "Batch" } dd { (commits.batch) " events in the last one, at most " (commits.batch_max) }
                dt { "Waiting" } dd { (health.queued_events) " events are not durable yet" }
                dt { "Spool" }
                dd {
                    (sized(health.spooled_bytes)) " wait for the database"
                    @if health.spool_max_bytes.is_some() { ", room for " (bytes(health.spool_max_bytes)) }
                    @if health.spool_free_bytes.is_some() { ", disk has " (bytes(health.spool_free_bytes)) " free" }
                }
            }
        }
    }
}

/// Seconds since a time of the wall clock.
fn age(since: Timestamp) -> i64 {
    (clock::wall().0 / 1_000_000).saturating_sub(since.as_second())
}

/// How long ago, in words.
fn ago(at: At, now: At) -> String {
    parts::age(now.0.saturating_sub(at.0) / 1_000_000)
}

/// A number of bytes in its unit.
fn sized(bytes: u64) -> String {
    match bytes {
        0..=9_999 => format!("{bytes} B"),
        10_000..=9_999_999 => format!("{} kB", bytes / 1_000),
        10_000_000..=9_999_999_999 => format!("{} MB", bytes / 1_000_000),
        _ => format!("{} GB", bytes / 1_000_000_000),
    }
}
