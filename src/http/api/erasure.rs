//! Erasure of a caller.

use actix_web::HttpResponse;
use precall_actors::api::{ErasureReport, NotErased};
use serde::Serialize;
use slog::{error, info};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::http::app_state::AppState;
use crate::http::audit_trail::recorded;
use crate::http::error::{Code, Problem};
use crate::http::openapi::names::PendingKind;
use crate::http::response;

/// Data that precall cannot delete.
const OUT_OF_REACH: [&str; 3] = [
    "backups of the database: after a restore run `precall restore --ledger` with the ledger of erasures",
    "recordings and call lists of the PBX",
    "data at ElevenLabs other than voices and conversations",
];

/// Result of an erasure.
#[derive(Serialize, ToSchema)]
pub(crate) struct ErasureAnswer {
    /// Id in the audit log and in the ledger.
    erasure: Uuid,
    /// What was erased.
    done: Done,
    /// What is still being deleted outside the database.
    pending: Vec<Pending>,
    /// What precall cannot delete.
    out_of_reach: Vec<String>,
}

/// What was erased.
#[derive(Serialize, ToSchema)]
pub(crate) struct Done {
    /// Calls whose personal data was removed.
    calls: usize,
    /// Events whose personal data was removed.
    events: u64,
    /// Clone jobs whose personal data was removed.
    clone_jobs: usize,
    /// Mappings, deleted ones included.
    mappings: usize,
    /// Speakers of no other caller. The log of consents stays valid.
    speakers: usize,
    /// Webhooks whose bodies were removed.
    webhooks: u64,
    /// Voices at ElevenLabs.
    #[schema(minimum = 0)]
    voices: i64,
    /// Conversations at ElevenLabs.
    #[schema(minimum = 0)]
    conversations: i64,
    /// Samples, with all their versions.
    #[schema(minimum = 0)]
    samples: i64,
    /// Recordings.
    #[schema(minimum = 0)]
    recordings: i64,
    /// Damaged spool files that contained the number.
    spool_files: usize,
}

/// A deletion that precall retries until it succeeds.
#[derive(Serialize, ToSchema)]
pub(crate) struct Pending {
    /// What is deleted.
    #[schema(value_type = PendingKind)]
    what: String,
    /// How many.
    #[schema(minimum = 1)]
    count: i64,
    /// The last failure.
    why: Option<String>,
}

/// Erases a caller. `caller` is a checked number, `by` the name of the API key.
pub(crate) async fn erase(app: &AppState, caller: &str, by: &str) -> Result<HttpResponse, Problem> {
    let report = app.engine.erase_caller(caller.to_owned(), by.to_owned()).await.map_err(|failure| {
        if matches!(failure, NotErased::Ledger(_) | NotErased::Store(_)) {
            error!(app.log, "erasure failed, nothing was erased"; "error" => %failure);
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
    info!(app.log, "caller erased"; "key" => by, "erasure" => %report.erasure);
    Ok(recorded(response::json(&answer_of(&report))?))
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
