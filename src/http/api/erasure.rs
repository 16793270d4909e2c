//! Erasing a caller over the API.

use actix_web::HttpResponse;
use precall_actors::api::{ErasureReport, NotErased};
use serde::Serialize;
use slog::{error, info};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::http::app_state::AppState;
use crate::http::error::{Code, Problem};
use crate::http::response;

/// What precall cannot reach, whoever it is about.
const OUT_OF_REACH: [&str; 3] = [
    "backups of the database: after a restore run `precall restore --ledger` with the ledger of erasures",
    "recordings and call lists of the PBX",
    "what the voice provider keeps beside voices and conversations",
];

/// What was done, what is still being tried, and what cannot be.
#[derive(Serialize, ToSchema)]
pub struct ErasureAnswer {
    /// In the audit log and in the ledger.
    erasure: Uuid,
    /// What is gone.
    done: Done,
    /// What is still being deleted elsewhere; nothing in the database ever is.
    pending: Vec<Pending>,
    /// What precall cannot delete.
    out_of_reach: Vec<String>,
}

/// What is gone.
#[derive(Serialize, ToSchema)]
pub struct Done {
    /// Calls that lost what was personal.
    calls: usize,
    /// Events that did.
    events: u64,
    /// Clone jobs that did.
    clone_jobs: usize,
    /// Mappings, deleted ones included.
    mappings: usize,
    /// Speakers who spoke for nobody else; the log of consents still holds.
    speakers: usize,
    /// Webhooks that lost their bodies.
    webhooks: u64,
    /// Voices at the provider.
    voices: i64,
    /// Conversations at the provider.
    conversations: i64,
    /// Samples, all their versions.
    samples: i64,
    /// Recordings.
    recordings: i64,
    /// Damaged files of the spool that held the number.
    spool_files: usize,
}

/// Something that is tried again until it is gone.
#[derive(Serialize, ToSchema)]
pub struct Pending {
    /// `voice`, `conversation`, `sample` or `recording`.
    what: String,
    /// How many.
    count: i64,
    /// Why not yet.
    why: Option<String>,
}

/// Erases a caller; the number is checked already.
pub(crate) async fn erase(app: &AppState, caller: &str, by: &str) -> Result<HttpResponse, Problem> {
    let report = app.engine.erase_caller(caller.to_owned(), by.to_owned()).await.map_err(|failure| {
        if matches!(failure, NotErased::Ledger(_) | NotErased::Store(_)) {
            error!(app.settings.log, "nobody was erased"; "error" => %failure);
        }
        let text = failure.to_string();
        match failure {
            NotErased::Nothing => Problem::new(Code::CallerNotFound, text),
            NotErased::Live => Problem::new(Code::CallerIsLive, text),
            NotErased::Spooled => Problem::new(Code::CannotKeep, text),
            NotErased::Ledger(_) => {
                Problem::new(Code::CannotKeep, "the ledger of erasures cannot be written: see the log")
            }
            NotErased::Store(error) => Problem::from(error),
        }
    })?;
    info!(app.settings.log, "caller erased"; "key" => by, "erasure" => %report.erasure);
    response::json(&answer_of(&report))
}

fn answer_of(report: &ErasureReport) -> ErasureAnswer {
    let done = |kind: &str| report.elsewhere.iter().filter(|p| p.kind == kind).map(|p| p.done).sum();
    let mut pending: Vec<Pending> = report
        .elsewhere
        .iter()
        .filter(|progress| progress.pending > 0)
        .map(|progress| Pending {
            what: progress.kind.clone(),
            count: progress.pending,
            why: progress.why.clone(),
        })
        .collect();
    if report.voices_pending > 0 {
        pending.push(Pending { what: "voice".to_owned(), count: report.voices_pending, why: None });
    }
    let mut out_of_reach: Vec<String> = OUT_OF_REACH.map(str::to_owned).to_vec();
    if report.erased.samples_shared > 0 {
        out_of_reach
            .push(format!("{} samples that other callers are mapped to", report.erased.samples_shared));
    }
    ErasureAnswer {
        erasure: report.erasure,
        done: Done {
            calls: report.calls,
            events: report.erased.events,
            clone_jobs: report.jobs,
            mappings: report.mappings,
            speakers: report.speakers,
            webhooks: report.erased.webhooks,
            voices: report.voices_done,
            conversations: done("conversation"),
            samples: done("sample"),
            recordings: done("recording"),
            spool_files: report.spool_files,
        },
        pending,
        out_of_reach,
    }
}
