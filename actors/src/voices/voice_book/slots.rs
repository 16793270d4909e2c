//! Slots of the account: asked for by clone jobs, freed by deleting voices that nobody uses. A shell around [`SlotBook`].

use std::sync::Arc;
use std::time::Duration;

use actix::{AsyncContext, Context, Handler, Message};
use precall_base::clock;
use precall_call::{CallId, CloneJobId, VoiceId};
use precall_providers::elevenlabs::VoiceDeleted;
use precall_store::events::rows::{CacheUse, Entry, RowWrite, Stream, Time};
use precall_store::events::voice_event_json;
use precall_store::events::voice_event_json::VoiceEvent;
use precall_store::voices::ExistingVoice;
use slog::{info, warn};
use tokio::sync::oneshot;
use uuid::Uuid;

use super::VoiceBook;
use crate::caller_key::CallerKey;
use crate::durability::persistence::{Append, Durable};
use crate::voices::reconcile_rules::Trust;
use crate::voices::slot_rules::{Held, Slot};

/// One deletion.
const DELETE_WITHIN: Duration = Duration::from_secs(10);
/// One look at what the account allows, and the time between two.
const LOOK_WITHIN: Duration = Duration::from_secs(10);
pub(crate) const LOOK_EVERY: Duration = Duration::from_secs(300);
/// Voices that are deleted at once because they expired.
const SWEPT_AT_ONCE: usize = 10;
/// Voices that are tried for one slot, where they cannot be deleted.
const TRIES_MAX: u32 = 3;

/// How full the account is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fullness {
    /// As far as we know.
    AsKnown,
    /// The provider has refused a clone for it.
    Full,
    /// As far as we know; and nobody waits for this clone, so that no voice is deleted for it.
    ForNobody,
}

/// A clone job needs a slot.
#[derive(Message)]
#[rtype(result = "()")]
pub struct WantSlot {
    /// Which job.
    pub job: CloneJobId,
    /// How full the account is.
    pub fullness: Fullness,
    /// Hears whether there is one.
    pub reply: oneshot::Sender<bool>,
}

/// Voices that exist, and live calls that may speak with one.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Existing {
    /// At the provider.
    pub voices: Vec<ExistingVoice>,
    /// Before anything is deleted.
    pub in_use: Vec<(CallId, VoiceId)>,
    /// Whether they are all that there are.
    pub trust: Trust,
}

/// A call is over.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct UsesNoMore(pub CallId);

/// Somebody who waits for a slot.
struct Waiting {
    job: CloneJobId,
    tries: u32,
    reply: oneshot::Sender<bool>,
}

/// A deletion was tried.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Tried {
    voice: VoiceId,
    held: Held,
    why: &'static str,
    /// None: it may still be there.
    deleted: Option<VoiceDeleted>,
    waiting: Option<Waiting>,
}

#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Allowed {
    slots: Option<(usize, usize)>,
    edits: Option<(usize, usize)>,
}

impl VoiceBook {
    fn answer(&mut self, slot: Slot, waiting: Waiting, ctx: &mut Context<Self>) {
        match slot {
            Slot::Granted => self.grant(waiting),
            Slot::After(voice, held) if waiting.tries < TRIES_MAX => {
                self.delete(voice, held, "evicted", Some(waiting), ctx);
            }
            Slot::After(voice, _) => {
                self.slots.not_deleted(&voice);
                let _ = waiting.reply.send(false);
            }
            Slot::None => {
                let _ = waiting.reply.send(false);
            }
        }
    }

    /// A job that was stopped meanwhile takes no slot.
    fn grant(&mut self, waiting: Waiting) {
        if waiting.reply.send(true).is_err() {
            self.slots.release(waiting.job);
        }
    }

    /// From now on no call is served with it.
    fn delete(
        &mut self,
        voice: VoiceId,
        held: Held,
        why: &'static str,
        waiting: Option<Waiting>,
        ctx: &mut Context<Self>,
    ) {
        if self.book.peek(&held.key, clock::now()) == Some(&voice) {
            self.book.forget(&held.key);
        }
        let (services, book) = (Arc::clone(&self.services), ctx.address());
        actix::spawn(async move {
            let deleted = if services.persistence_state.leadership().may_act().await {
                let answer = services.clients.here().bulk.delete_voice(&voice, DELETE_WITHIN).await;
                services.provider.note(&answer);
                if let Err(error) = &answer {
                    warn!(services.log, "a voice could not be deleted, it is tried again";
                        "job" => %held.job, "error" => %error);
                }
                answer.ok()
            } else {
                None
            };
            book.do_send(Tried { voice, held, why, deleted, waiting });
        });
    }

    /// Deletes what nobody is served with any more.
    pub(crate) fn sweep(&mut self, ctx: &mut Context<Self>) {
        if !self.knows_existing {
            return;
        }
        for (voice, held) in self.slots.expired(clock::now(), SWEPT_AT_ONCE) {
            self.delete(voice, held, "expired", None, ctx);
        }
    }

    /// Asks what the account allows.
    pub(crate) fn look(&self, ctx: &mut Context<Self>) {
        if !self.knows_existing {
            return;
        }
        let (services, book) = (Arc::clone(&self.services), ctx.address());
        actix::spawn(async move {
            let answer = services.clients.here().bulk.subscription(LOOK_WITHIN).await;
            services.provider.note(&answer);
            let Ok(account) = answer else { return };
            let shown = |number: Option<i64>| number.and_then(|number| u64::try_from(number).ok());
            services.capacity.slots(shown(account.voice_slots_used), shown(account.voice_limit));
            services
                .capacity
                .edits(shown(account.voice_add_edit_counter), shown(account.max_voice_add_edits));
            let count = |number: Option<i64>| number.and_then(|number| usize::try_from(number).ok());
            book.do_send(Allowed {
                slots: count(account.voice_slots_used).zip(count(account.voice_limit)),
                edits: count(account.voice_add_edit_counter).zip(count(account.max_voice_add_edits)),
            });
        });
    }

    pub(crate) fn record_deletion(
        &self,
        voice: &VoiceId,
        held: &Held,
        why: &'static str,
        deleted: VoiceDeleted,
        ctx: &Context<Self>,
    ) {
        let at = clock::now();
        info!(self.services.log, "voice deleted"; "job" => %held.job, "why" => why);
        let was_gone = deleted == VoiceDeleted::Earlier;
        let event = voice_event_json::encode(&VoiceEvent::VoiceDeleted { voice, why, was_gone });
        let CallerKey { account, caller } = held.key.clone();
        let dropped = CacheUse {
            account_id: account,
            caller_id: caller,
            cloned_voice_id: voice.to_string(),
            at: Time(at),
        };
        let entry = Entry {
            stream: Stream::Voice,
            owner: Uuid::from_u128(held.job.0),
            seq: held.next_seq,
            at,
            event,
            pii: None,
            derived: vec![RowWrite::CacheDropped(dropped)],
        };
        self.services.persistence.do_send(Append { entries: vec![entry], reply: ctx.address().recipient() });
    }
}

impl Handler<WantSlot> for VoiceBook {
    type Result = ();

    fn handle(&mut self, WantSlot { job, fullness, reply }: WantSlot, ctx: &mut Context<Self>) {
        let slot = match fullness {
            Fullness::AsKnown => self.slots.want(job),
            Fullness::Full => self.slots.is_full(job),
            Fullness::ForNobody if self.slots.free() == Some(0) => Slot::None,
            Fullness::ForNobody => self.slots.want(job),
        };
        self.answer(slot, Waiting { job, tries: 0, reply }, ctx);
    }
}

impl Handler<Tried> for VoiceBook {
    type Result = ();

    fn handle(&mut self, tried: Tried, ctx: &mut Context<Self>) {
        let Tried { voice, held, why, deleted, waiting } = tried;
        match (deleted, waiting) {
            (Some(deleted), waiting) => {
                self.record_deletion(&voice, &held, why, deleted, ctx);
                match waiting {
                    Some(waiting) => {
                        self.slots.take_over(waiting.job, &voice);
                        self.grant(waiting);
                    }
                    None => self.slots.deleted(&voice),
                }
            }
            (None, Some(waiting)) => {
                // Nobody is served with it any more, so it is tried again with those that expired; another one may go at once.
                let slot = self.slots.is_full(waiting.job);
                self.slots.not_deleted(&voice);
                self.slots.not_wanted(&held.key);
                let waiting = Waiting { tries: waiting.tries.saturating_add(1), ..waiting };
                self.answer(slot, waiting, ctx);
            }
            (None, None) => {
                self.slots.not_deleted(&voice);
            }
        }
    }
}

impl Handler<Allowed> for VoiceBook {
    type Result = ();

    fn handle(&mut self, Allowed { slots, edits }: Allowed, _: &mut Context<Self>) {
        if let Some((taken, limit)) = slots {
            self.slots.set_limit(limit, taken);
        }
        self.slots.set_edits(edits.map(|(made, most)| most.saturating_sub(made)));
    }
}

impl Handler<Existing> for VoiceBook {
    type Result = ();

    fn handle(&mut self, Existing { voices, in_use, trust }: Existing, ctx: &mut Context<Self>) {
        for found in voices.into_iter().rev() {
            let held = Held {
                job: found.job,
                next_seq: found.last_seq.saturating_add(1),
                key: CallerKey { account: found.account, caller: found.caller },
                last_used: found.last_used,
                expires: found.expires.unwrap_or(precall_call::At(0)),
            };
            self.slots.hold(found.voice, held);
        }
        for (call, voice) in in_use {
            self.slots.pin(call, &voice, precall_call::At(0));
        }
        self.trust = trust;
        self.knows_existing = true;
        self.look(ctx);
    }
}

impl Handler<UsesNoMore> for VoiceBook {
    type Result = ();

    fn handle(&mut self, UsesNoMore(call): UsesNoMore, _: &mut Context<Self>) {
        self.slots.unpin(call);
    }
}

impl Handler<Durable> for VoiceBook {
    type Result = ();

    /// Nothing waits for a deletion's record: without it the voice is deleted a second time, which is none.
    fn handle(&mut self, _: Durable, _: &mut Context<Self>) {}
}
