//! Keeps the account and the tables in step: voices of ours that nobody knows of are deleted, voices that are gone are forgotten. Every hour,
//! and when somebody asks.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use actix::{AsyncContext, Context, Handler, Message};
use precall_base::clock;
use precall_call::{At, CloneJobId, VoiceId};
use precall_providers::elevenlabs::{VoiceDeleted, VoiceList};
use slog::{info, warn};
use tokio::sync::oneshot;

use super::VoiceBook;
use crate::voices::reconcile_rules::{Approval, Differences, Listed, Sight, Trust, Whole, differences};
use crate::voices::services::VoiceServices;

/// Between two rounds, and before the first: what a crash left behind is found out about before.
pub(crate) const EVERY: Duration = Duration::from_secs(3600);
pub(crate) const FIRST_AFTER: Duration = Duration::from_secs(120);
/// All pages of the list.
const LIST_WITHIN: Duration = Duration::from_secs(30);
const DELETE_WITHIN: Duration = Duration::from_secs(10);

/// Compares account and tables.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Reconcile {
    /// Whether somebody has looked.
    pub approval: Approval,
    /// Hears what came of it; nobody for the round of the hour.
    pub reply: Option<oneshot::Sender<Result<Reconciled, NotReconciled>>>,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reconciled {
    /// Where the two disagreed.
    pub found: Differences,
    /// Voices deleted at the provider.
    pub deleted: usize,
    /// Voices that could not be deleted now: the next round tries again.
    pub not_deleted: usize,
    /// Why nothing was changed, where that needs somebody's word.
    pub objection: Option<String>,
}

/// Why the two could not be compared.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotReconciled {
    /// One round at a time.
    #[error("it is being done already")]
    UnderWay,
    /// What exists is not loaded, or this process does not act.
    #[error("precall does not act on its database yet")]
    NotReady,
    /// The provider's list could not be read.
    #[error("the provider could not be asked: {0}")]
    Provider(String),
}

/// The provider has answered.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Seen {
    list: Result<VoiceList, String>,
    round: Reconcile,
}

/// Strays were dealt with.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Mended {
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
        let unfinished: HashSet<CloneJobId> = self.book.unfinished().collect();
        differences(&Sight {
            installation: &services.settings.installation,
            listed: &listed,
            whole: if list.complete { Whole::Whole } else { Whole::Part },
            known: &known,
            unfinished: &unfinished,
            now: clock::now(),
        })
    }

    /// Nobody is served with a voice that is gone.
    fn forget_gone(&mut self, gone: &[VoiceId], ctx: &Context<Self>) {
        for voice in gone {
            let Some(held) = self.slots.get(voice).cloned() else { continue };
            if self.book.peek(&held.key, clock::now()) == Some(voice) {
                self.book.forget(&held.key);
            }
            self.record_deletion(voice, &held, "reconciled", VoiceDeleted::Earlier, ctx);
            self.slots.deleted(voice);
        }
    }
}

/// One after the other: it is nobody's wait.
async fn delete_strays(strays: &[VoiceId], services: &VoiceServices) -> (usize, usize) {
    let (mut deleted, mut not_deleted) = (0_usize, 0_usize);
    for voice in strays {
        let answer = if services.persistence_state.leadership().may_act().await {
            let clients = services.clients.here();
            clients.bulk.delete_voice(voice, DELETE_WITHIN).await.map_err(|error| error.to_string())
        } else {
            Err("another precall may have taken over".to_owned())
        };
        match answer {
            Ok(_) => {
                deleted = deleted.saturating_add(1);
                info!(services.log, "a voice that nobody knew of is deleted"; "voice" => %voice);
            }
            Err(error) => {
                not_deleted = not_deleted.saturating_add(1);
                warn!(services.log, "a voice that nobody knows of could not be deleted"; "voice" => %voice,
                    "error" => error);
            }
        }
    }
    (deleted, not_deleted)
}

async fn remember_trust(services: &VoiceServices) {
    let Some(known) = services.known_database.clone() else { return };
    match tokio::task::spawn_blocking(move || known.trust()).await {
        Ok(Ok(())) | Err(_) => {}
        Ok(Err(error)) => {
            warn!(services.log, "it could not be written down that the database is known"; "error" => %error);
        }
    }
}

impl Handler<Reconcile> for VoiceBook {
    type Result = ();

    fn handle(&mut self, round: Reconcile, ctx: &mut Context<Self>) {
        if !self.knows_existing {
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
            book.do_send(Seen { list, round });
        });
    }
}

impl Handler<Seen> for VoiceBook {
    type Result = ();

    fn handle(&mut self, Seen { list, round }: Seen, ctx: &mut Context<Self>) {
        let services = Arc::clone(&self.services);
        let list = match list {
            Ok(list) => list,
            Err(error) => {
                self.reconciling = false;
                warn!(services.log, "the voices at the provider could not be listed"; "error" => &error);
                return round.answer(Err(NotReconciled::Provider(error)));
            }
        };
        let found = self.compare(&list, &services);
        let objection = found.objection(self.trust, round.approval);
        let mut outcome = Reconciled { found, deleted: 0, not_deleted: 0, objection };
        let book = ctx.address();
        if let Some(why) = &outcome.objection {
            warn!(services.log, "provider and database disagree about voices; `precall voices reconcile --yes` mends it";
                "strays" => outcome.found.strays.len(), "gone" => outcome.found.gone.len(), "because" => why);
            return book.do_send(Mended { outcome, round });
        }
        self.trust = Trust::Known;
        self.forget_gone(&outcome.found.gone, ctx);
        actix::spawn(async move {
            (outcome.deleted, outcome.not_deleted) = delete_strays(&outcome.found.strays, &services).await;
            remember_trust(&services).await;
            book.do_send(Mended { outcome, round });
        });
    }
}

impl Handler<Mended> for VoiceBook {
    type Result = ();

    fn handle(&mut self, Mended { outcome, round }: Mended, ctx: &mut Context<Self>) {
        self.reconciling = false;
        if outcome.deleted > 0 {
            // There is room now.
            self.look(ctx);
        }
        round.answer(Ok(outcome));
    }
}
