//! Reconciles the provider account with the database: deletes our voices that the database does not know and forgets
//! voices that are gone. Every hour and on request.

use std::collections::{HashMap, HashSet};
use std::io;
use std::sync::Arc;
use std::time::Duration;

use actix::{AsyncContext, Context, Handler, Message};
use precall_base::clock;
use precall_call::{At, CloneJobId, VoiceId};
use precall_providers::elevenlabs::{VoiceDeleted, VoiceList};
use slog::{info, warn};
use tokio::sync::oneshot;

use super::VoiceBook;
use crate::voices::reconcile_rules::{
    Approval, Comparison, Completeness, DatabaseOrigin, Differences, Listed, differences,
};
use crate::voices::services::VoiceServices;

/// Interval between two rounds, and delay of the first, so that lost clone jobs are resolved before it.
pub(crate) const EVERY: Duration = Duration::from_secs(3600);
pub(crate) const FIRST_AFTER: Duration = Duration::from_secs(120);
/// Time limit for all pages of the list.
const LIST_WITHIN: Duration = Duration::from_secs(30);
const DELETE_WITHIN: Duration = Duration::from_secs(10);

/// Starts a round.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Reconcile {
    /// Whether an operator approved the changes.
    pub approval: Approval,
    /// Receives the result; `None` for the hourly round.
    pub reply: Option<oneshot::Sender<Result<Reconciled, NotReconciled>>>,
}

/// Result of a round.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reconciled {
    /// The differences.
    pub found: Differences,
    /// Voices deleted at the provider.
    pub deleted: usize,
    /// Voices that could not be deleted. The next round retries.
    pub not_deleted: usize,
    /// Why nothing was changed, if the changes need approval.
    pub objection: Option<String>,
}

/// Why a round failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotReconciled {
    /// Another round is running.
    #[error("a round is already running")]
    UnderWay,
    /// The voices are not loaded, or this process is not the leader.
    #[error("precall is not ready: the voices are not loaded yet")]
    NotReady,
    /// The provider's list could not be read.
    #[error("the provider did not answer: {0}")]
    Provider(String),
}

/// The provider has listed its voices.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct VoicesListed {
    list: Result<VoiceList, String>,
    round: Reconcile,
}

/// The round has ended.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct RoundDone {
    outcome: Reconciled,
    round: Reconcile,
}

impl Reconcile {
    fn answer(self, answer: Result<Reconciled, NotReconciled>) {
        if let Some(reply) = self.reply {
            let _ = reply.send(answer);
        }
    }
}

impl VoiceBook {
    fn compare(&self, list: &VoiceList, services: &VoiceServices) -> Differences {
        let created = |seconds: i64| At(seconds.saturating_mul(1_000_000));
        let listed: Vec<Listed> = list
            .voices
            .iter()
            .map(|found| Listed {
                voice: found.voice.clone(),
                name: found.name.clone(),
                created: found.created_at_unix.map(created),
            })
            .collect();
        let known: HashMap<VoiceId, CloneJobId> =
            self.slots.all().map(|(v, held)| (v.clone(), held.job)).collect();
        let unfinished: HashSet<CloneJobId> = self.rules.unfinished().collect();
        differences(&Comparison {
            installation: &services.settings.installation,
            listed: &listed,
            completeness: if list.complete { Completeness::Complete } else { Completeness::Partial },
            known: &known,
            unfinished: &unfinished,
            now: clock::now(),
        })
    }

    /// Removes voices that no longer exist from the cache, the slots and the database.
    fn forget_gone(&mut self, gone: &[VoiceId], ctx: &Context<Self>) {
        for voice in gone {
            let Some(held) = self.slots.get(voice).cloned() else { continue };
            if self.rules.cached(&held.key, clock::now()) == Some(voice) {
                self.rules.forget(&held.key);
            }
            self.record_deletion(voice, &held, "reconciled", VoiceDeleted::Earlier, ctx);
            self.slots.deleted(voice);
        }
    }
}

/// Deletes strays one after the other; returns how many were deleted and how many not.
async fn delete_strays(strays: &[VoiceId], services: &VoiceServices) -> (usize, usize) {
    let (mut deleted, mut not_deleted) = (0_usize, 0_usize);
    for voice in strays {
        let answer = if let Some(_under_way) = services.persistence_state.may_act().await {
            let clients = services.clients.here();
            clients.bulk.delete_voice(voice, DELETE_WITHIN).await.map_err(|error| error.to_string())
        } else {
            Err("another precall may be the leader".to_owned())
        };
        match answer {
            Ok(answer) => {
                if answer == VoiceDeleted::Now {
                    services.capacity.voice_deleted();
                }
                deleted = deleted.saturating_add(1);
                info!(services.log, "stray voice deleted"; "voice" => %voice);
            }
            Err(error) => {
                not_deleted = not_deleted.saturating_add(1);
                warn!(services.log, "could not delete a stray voice"; "voice" => %voice,
                    "error" => error);
            }
        }
    }
    (deleted, not_deleted)
}

async fn mark_database_known(services: &VoiceServices) {
    let Some(known) = services.known_database.clone() else { return };
    let recorded = tokio::task::spawn_blocking(move || known.mark_reviewed()).await;
    if let Err(error) = recorded.map_err(io::Error::other).and_then(|recorded| recorded) {
        warn!(services.log, "could not record that the database is known"; "error" => %error);
    }
}

impl Handler<Reconcile> for VoiceBook {
    type Result = ();

    fn handle(&mut self, round: Reconcile, ctx: &mut Context<Self>) {
        if !self.is_loaded {
            return round.answer(Err(NotReconciled::NotReady));
        }
        if std::mem::replace(&mut self.reconciling, true) {
            return round.answer(Err(NotReconciled::UnderWay));
        }
        let (services, book) = (Arc::clone(&self.services), ctx.address());
        actix::spawn(async move {
            let search = format!("precall-{}-", services.settings.installation);
            let answer = services.clients.here().bulk.voices_named(&search, LIST_WITHIN).await;
            services.provider.note(&answer);
            let list = answer.map_err(|error| error.to_string());
            book.do_send(VoicesListed { list, round });
        });
    }
}

impl Handler<VoicesListed> for VoiceBook {
    type Result = ();

    fn handle(&mut self, VoicesListed { list, round }: VoicesListed, ctx: &mut Context<Self>) {
        let services = Arc::clone(&self.services);
        let list = match list {
            Ok(list) => list,
            Err(error) => {
                self.reconciling = false;
                warn!(services.log, "could not list the voices at the provider"; "error" => &error);
                return round.answer(Err(NotReconciled::Provider(error)));
            }
        };
        let found = self.compare(&list, &services);
        let objection = found.objection(self.origin, round.approval);
        let mut outcome = Reconciled { found, deleted: 0, not_deleted: 0, objection };
        let book = ctx.address();
        if let Some(why) = &outcome.objection {
            warn!(services.log, "voices differ from the database, run precall voices reconcile --yes";
                "strays" => outcome.found.strays.len(), "gone" => outcome.found.gone.len(), "because" => why);
            return book.do_send(RoundDone { outcome, round });
        }
        self.origin = DatabaseOrigin::Known;
        self.forget_gone(&outcome.found.gone, ctx);
        actix::spawn(async move {
            (outcome.deleted, outcome.not_deleted) = delete_strays(&outcome.found.strays, &services).await;
            mark_database_known(&services).await;
            book.do_send(RoundDone { outcome, round });
        });
    }
}

impl Handler<RoundDone> for VoiceBook {
    type Result = ();

    fn handle(&mut self, RoundDone { outcome, round }: RoundDone, ctx: &mut Context<Self>) {
        self.reconciling = false;
        if outcome.deleted > 0 {
            // Slots are free now.
            self.read_account_limits(ctx);
        }
        round.answer(Ok(outcome));
    }
}
