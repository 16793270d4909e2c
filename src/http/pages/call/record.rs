//! What is read of a call for its page.

use std::collections::BTreeSet;

use actix_web::web;
use jiff::Timestamp;
use precall_actors::api::LiveCall;
use precall_call::{At, CallId, CloneJobId, Event};
use precall_store::reads::calls::{CallDetail, ConversationRow};
use precall_store::reads::failures::FailureRow;
use precall_store::reads::utterances::UtteranceRow;
use precall_store::reads::{calls, clone_steps, events, failures, utterances};
use uuid::Uuid;

use super::moment;
use super::strips::Job;
use crate::http::api::read::read;
use crate::http::api::sight::Sight;
use crate::http::app_state::AppState;
use crate::http::clock;
use crate::http::error::{Code, Problem};
use crate::story::{Called, Failure, Happened, Moment, Story, replay, story};

/// More events has no call.
const EVENTS_MAX: i64 = 10_000;

/// A call, as its page shows it.
pub(super) struct Record {
    /// Its row.
    pub(super) detail: CallDetail,
    /// Its conversations at ElevenLabs.
    pub(super) conversations: Vec<ConversationRow>,
    /// Its log.
    pub(super) happened: Vec<Happened>,
    /// Its log, replayed.
    pub(super) moments: Vec<Moment>,
    /// Whether the log is longer than what was read.
    pub(super) is_cut: bool,
    /// The clone jobs that the log names.
    pub(super) jobs: Vec<Job>,
    /// What was said; empty for who may not see it.
    pub(super) said: Vec<UtteranceRow>,
    /// What the engine knows while the call is live.
    pub(super) live: Option<LiveCall>,
    /// What the viewer may see.
    pub(super) sight: Sight,
    /// When it was read.
    pub(super) now: At,
    failures: Vec<FailureRow>,
}

impl Record {
    /// Reads a call.
    ///
    /// # Errors
    /// `call_not_found`, and what reads can answer.
    pub(super) async fn read(app: &web::Data<AppState>, id: Uuid, sight: Sight) -> Result<Self, Problem> {
        let pool = &app.pool;
        let found = read(app, calls::find(pool, id)).await?;
        let detail = found.ok_or_else(|| Problem::of(Code::CallNotFound))?;
        let conversations = read(app, calls::conversations(pool, id)).await?;
        let failures = read(app, failures::of_call(pool, id)).await?;
        let rows = read(app, events::of_call(pool, id, 0, EVENTS_MAX + 1)).await?;
        let is_cut = rows.len() > usize::try_from(EVENTS_MAX).unwrap_or(usize::MAX);
        let happened: Vec<Happened> = rows
            .into_iter()
            .take(usize::try_from(EVENTS_MAX).unwrap_or(usize::MAX))
            .map(|row| Happened {
                seq: row.seq,
                at: row.at,
                event: serde_json::from_str(row.event.get()).unwrap_or_default(),
                detail: row.detail,
            })
            .collect();
        let moments = replay(&happened);
        let mut jobs = Vec::new();
        for job in jobs_of(&moments) {
            jobs.push(Job { id: job, steps: read(app, clone_steps::read_job(pool, job)).await? });
        }
        let said = match sight {
            Sight::Whole => read(app, utterances::of_call(pool, id)).await?,
            Sight::Masked => Vec::new(),
        };
        let live = app.engine.board().find(CallId(id.as_u128()));
        let now = clock::now();
        Ok(Self { detail, conversations, happened, moments, is_cut, jobs, said, live, sight, now, failures })
    }

    /// precall's id.
    pub(super) fn id(&self) -> Uuid {
        self.detail.call.id
    }

    /// When the call came in.
    pub(super) fn begin(&self) -> At {
        let row = At(self.detail.call.started_at.as_microsecond());
        self.moments.first().map_or(row, |first| first.at)
    }

    /// Whether it goes on.
    pub(super) fn is_live(&self) -> bool {
        self.detail.call.ended_at.is_none() && self.detail.call.state != "released"
    }

    /// Whether its page still changes: live, or without the report that follows the end.
    pub(super) fn changes(&self) -> bool {
        let ended = self.detail.call.ended_at.map(|ended| At(ended.as_microsecond()));
        let is_recent = ended.is_none_or(|ended| self.now.since(ended).as_secs() < 3_600);
        let is_reported = self.conversations.iter().all(|conversation| conversation.reported_at.is_some());
        self.is_live() || (is_recent && !is_reported)
    }

    /// The caller's number, as the viewer may see it.
    pub(super) fn caller(&self) -> Option<String> {
        self.detail.call.caller_id.clone().map(|number| self.sight.number(number))
    }

    /// The story that `precall why` tells.
    pub(super) fn story(&self) -> Story {
        let row = self.detail.call.clone();
        let failure = |failure: &FailureRow| Failure {
            at: failure.at,
            kind: failure.kind.clone(),
            detail: failure.detail.clone(),
        };
        let called = Called {
            id: row.id.to_string(),
            threecx_call_id: row.threecx_call_id,
            caller_id: self.caller(),
            called_number: row.called_number,
            line: row.line,
            route: row.route,
            state: row.state,
            cause: row.cause,
            blame: row.blame,
            told: row.told,
            voice_missing: row.voice_missing,
            started_at: row.started_at,
            ended_at: row.ended_at,
            failures: self.failures.iter().map(failure).collect(),
        };
        story(&called, &self.moments)
    }

    /// A time of the call as `+4.200 s`.
    pub(super) fn offset(&self, at: Timestamp) -> String {
        moment::offset(At(at.as_microsecond()), self.begin())
    }
}

fn jobs_of(moments: &[Moment]) -> BTreeSet<CloneJobId> {
    let job = |moment: &Moment| match moment.event {
        Some(Event::VoiceReady { job, .. } | Event::VoiceMissing { job, .. }) => job,
        _ => None,
    };
    moments.iter().filter_map(job).collect()
}
