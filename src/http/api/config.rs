//! The configuration in use, and its reload.

use actix_web::{HttpResponse, web};
use precall_store::lines::{self, LineSettings};
use serde::Serialize;
use utoipa::ToSchema;

use super::auth::{Admin, Allowed};
use super::page::NoQuery;
use crate::config::{Reloaded, ShownVariable};
use crate::http::api::read::read;
use crate::http::app_state::AppState;
use crate::http::audit_trail::recorded;
use crate::http::error::{Code, Problem};
use crate::http::openapi::problems::{API, DATABASE, ONCE, SCOPE, problems};
use crate::http::response;
use crate::reload::{NoAnswer, ReloadReport};

/// A variable of the configuration in use.
#[derive(Serialize, ToSchema)]
pub(crate) struct ConfigItem {
    #[serde(flatten)]
    variable: ShownVariable,
    /// Whether the files say something else now. A reload applies it, or a restart where `needs_restart` is true.
    differs: bool,
    /// Lines of the database that set this themselves. Their calls do not use this value.
    lines: Vec<String>,
}

/// The configuration in use.
#[derive(Serialize, ToSchema)]
pub(crate) struct ConfigAnswer {
    /// Every variable, in the order of docs/CONFIGURATION.md.
    items: Vec<ConfigItem>,
    /// What a reload would refuse now; null: the files can be used.
    refused: Option<String>,
}

problems!(ShowProblems: API, SCOPE, DATABASE);

/// Shows the configuration in use: each value, where it came from, and whether the files say something else now.
/// Secrets are shown as set or not set.
#[utoipa::path(get, path = "/api/v1/config", tag = "config", security(("bearer" = []), ("api_key" = [])), responses(
    (status = 200, body = ConfigAnswer),
    ShowProblems,
))]
pub(crate) async fn show(
    app: web::Data<AppState>,
    _: Allowed<Admin>,
    _: web::Query<NoQuery>,
) -> Result<HttpResponse, Problem> {
    let running = app.reloads.running();
    let now = web::block({
        let running = std::sync::Arc::clone(&running);
        move || running.reload()
    });
    let now = now.await.map_err(|_| Problem::of(Code::Internal))?;
    let stored = read(&app, lines::all(&app.pool)).await?;
    let (differing, refused) = match now {
        Ok(Reloaded { changed, needs_restart, .. }) => ([changed, needs_restart].concat(), None),
        Err(error) => (Vec::new(), Some(error.to_string())),
    };
    let item = |variable: ShownVariable| ConfigItem {
        differs: differing.contains(&variable.name),
        lines: stored
            .iter()
            .filter(|line| sets(&line.settings, variable.name))
            .map(|line| line.number.clone())
            .collect(),
        variable,
    };
    response::json(&ConfigAnswer { items: running.shown().into_iter().map(item).collect(), refused })
}

/// Whether a line sets for itself what the variable sets for all others.
fn sets(line: &LineSettings, variable: &str) -> bool {
    match variable {
        "ELEVENLABS_AGENT_ID" => line.agent_id.is_some(),
        "ELEVENLABS_PHONE_NUMBER_ID" => line.phone_number_id.is_some(),
        "GREETING_MESSAGE" => line.greeting_message.is_some(),
        "GREETING_VOICE_ID" => line.greeting_voice_id.is_some(),
        "GREETING_MAX_SECONDS" => line.greeting_max_seconds.is_some(),
        "FALLBACK_VOICE_ID" => line.fallback_voice_id.is_some(),
        "FALLBACK_DESTINATION" => line.fallback_destination.is_some(),
        "VOICE_POLICY" => line.policy().is_some(),
        "CLONE_MAX_WAIT_SECONDS" => line.clone_max_wait_seconds.is_some(),
        _ => false,
    }
}

problems!(ReloadProblems: API, SCOPE, ONCE, &[Code::ConfigRefused, Code::NotInTime, Code::TooManyAtOnce]);

/// Reads the configuration again and applies it to new calls and requests: all of it, or nothing. Calls that live keep
/// what they began with.
#[utoipa::path(
    post, path = "/api/v1/config/reload", tag = "config",
    security(("bearer" = []), ("api_key" = [])),
    responses(
        (status = 200, body = ReloadReport),
        ReloadProblems,
    ),
)]
pub(crate) async fn reload(app: web::Data<AppState>, admin: Allowed<Admin>) -> Result<HttpResponse, Problem> {
    let outcome = app.reloads.reload(&admin.principal.name).await.map_err(|none| match none {
        NoAnswer::TooMany => Problem::new(Code::TooManyAtOnce, "too many reloads wait already"),
        NoAnswer::TooSlow => {
            Problem::new(Code::NotInTime, "the reload goes on, the log will say its outcome")
        }
    })?;
    let report = outcome.map_err(|refused| {
        Problem::new(Code::ConfigRefused, format!("nothing was changed: {}", refused.words))
    })?;
    // The reload has written its row, as one by a signal does.
    Ok(recorded(response::json(&report)?))
}
