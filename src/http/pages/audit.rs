//! `/audit`: who changed what, and who looked at personal data.

use actix_web::{HttpResponse, web};
use maud::{Markup, html};
use precall_store::people::audit::{self, AuditFilter, AuditRow};
use serde::Deserialize;
use url::form_urlencoded::Serializer;
use uuid::Uuid;

use super::error::PageError;
use super::shell::{Page, Section};
use super::viewer::Viewer;
use super::{parts, shell};
use crate::config::Scope;
use crate::http::api::page::{id_of_cursor, limit};
use crate::http::api::read::read;
use crate::http::app_state::AppState;
use crate::http::error::{Code, Problem};

/// The longest name in the filter.
const NAME_MAX: usize = 200;

/// Query of the page. An empty field of its form filters nothing.
#[derive(Deserialize)]
pub(crate) struct Query {
    #[serde(default)]
    who: String,
    #[serde(default)]
    action: String,
    #[serde(default)]
    subject: String,
    cursor: Option<String>,
}

impl Query {
    fn filter(&self) -> Result<AuditFilter, Problem> {
        let text = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
        let wrong = |what: &'static str| Problem::new(Code::BadQuery, what);
        if self.who.len() > NAME_MAX || self.action.len() > NAME_MAX {
            return Err(wrong("a filter has at most 200 characters"));
        }
        let subject = text(&self.subject).map(|id| Uuid::try_parse(&id)).transpose();
        Ok(AuditFilter {
            who: text(&self.who),
            action: text(&self.action).map(|action| name_of(&action)),
            subject: subject.map_err(|_| wrong("subject must be an id, as the list shows it"))?,
        })
    }
}

/// An action as the log has it: the page shows `line published` in place of `line_published`. The pattern of a path has
/// a space of its own.
fn name_of(action: &str) -> String {
    if action.contains('/') { action.to_owned() } else { action.replace(' ', "_") }
}

/// The address of a page of the list.
fn path(filter: &AuditFilter, cursor: Option<Uuid>) -> String {
    let mut query = Serializer::new(String::new());
    let subject = filter.subject.map(|id| id.to_string());
    for (name, value) in [("who", &filter.who), ("action", &filter.action), ("subject", &subject)] {
        query.extend_pairs(value.iter().map(|value| (name, value)));
    }
    query.extend_pairs(cursor.iter().map(|id| ("cursor", id.to_string())));
    match query.finish().as_str() {
        "" => "/audit".to_owned(),
        query => format!("/audit?{query}"),
    }
}

/// `GET /audit`.
pub(crate) async fn page(
    app: web::Data<AppState>,
    viewer: Viewer,
    query: web::Query<Query>,
) -> Result<HttpResponse, PageError> {
    if !viewer.may(Scope::Admin) {
        return Err(Problem::new(Code::Forbidden, "this needs a key with the scope admin").into());
    }
    let (filter, before, most) = (query.filter()?, id_of_cursor(query.cursor.as_deref())?, limit(None)?);
    let mut rows = read(&app, audit::list(&app.pool, &filter, before, most.saturating_add(1))).await?;
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    let has_more = rows.len() > most;
    rows.truncate(most);
    let next = rows.last().filter(|_| has_more).map(|row| row.id);
    let is_filtered = filter.who.is_some() || filter.action.is_some() || filter.subject.is_some();
    let body = html! {
        (tools(&filter, is_filtered))
        @if rows.is_empty() && is_filtered {
            (parts::empty("No row fits. Names and actions must be written out as the list shows them."))
        } @else if rows.is_empty() {
            (parts::empty("No row yet. Each change by the API, the pages or the command line gets one, and each \
                look at numbers or words of callers."))
        } @else { (table(&rows)) }
        nav .pager aria-label="Pages of the list" {
            @if query.cursor.is_some() { a href=(path(&filter, None)) { "Newest rows" } }
            @if let Some(next) = next { a href=(path(&filter, Some(next))) rel="next" { "Older rows" } }
        }
    };
    Ok(shell::page(
        &viewer,
        &Page { title: "Audit", section: Section::Audit, files: &["audit/audit.css"] },
        &body,
    ))
}

fn tools(filter: &AuditFilter, is_filtered: bool) -> Markup {
    let action = filter.action.as_deref().map(parts::words);
    html! {
        form #filters .filters action="/audit" role="search" {
            label { "Who" input name="who" value=[filter.who.as_deref()] maxlength="200" autocomplete="off"; }
            label { "Action" input name="action" value=[action] maxlength="200" autocomplete="off"; }
            label { "Subject" input name="subject" value=[filter.subject] maxlength="36" autocomplete="off"; }
            button { "Filter" }
            @if is_filtered { a href="/audit" { "All rows" } }
        }
    }
}

fn table(rows: &[AuditRow]) -> Markup {
    html! {
        div .scroll {
            table .audit .stack aria-label="Audit log" {
                thead {
                    tr {
                        th scope="col" { "Time" } th scope="col" { "Who" } th scope="col" { "Action" }
                        th scope="col" { "Subject" } th scope="col" { "Detail" }
                    }
                }
                tbody { @for row in rows { (line(row)) } }
            }
        }
    }
}

fn line(row: &AuditRow) -> Markup {
    let who = AuditFilter { who: Some(row.who.clone()), ..AuditFilter::default() };
    let action = AuditFilter { action: Some(row.action.clone()), ..AuditFilter::default() };
    let subject = AuditFilter { subject: row.subject, ..AuditFilter::default() };
    html! {
        tr {
            td data-label="Time" { (parts::time(row.at)) }
            td data-label="Who" { a href=(path(&who, None)) { (row.who) } }
            td data-label="Action" { a href=(path(&action, None)) { (parts::words(&row.action)) } }
            td .id data-label="Subject" {
                @if let Some(id) = row.subject {
                    a href=(path(&subject, None)) { (id) }
                    @if row.action.starts_with("call_") || row.action.starts_with("listen_") {
                        " " a href={ "/calls/" (id) } { "call" }
                    }
                }
            }
            td .id data-label="Detail" { (row.detail.as_ref().map(ToString::to_string).unwrap_or_default()) }
        }
    }
}
