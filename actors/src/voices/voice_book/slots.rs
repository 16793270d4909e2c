//! Slots of the account: clone jobs request them, and unused voices are deleted for them. [`SlotRules`] decides.

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
use crate::limits::provider_capacity::Measure;
use crate::voices::reconcile_rules::DatabaseOrigin;
use crate::voices::slot_rules::{HeldVoice, Slot};

/// Time limit of one deletion.
const DELETE_WITHIN: Duration = Duration::from_secs(10);
/// Time limit for reading the account's limits, and the interval between two reads.
const LIMITS_WITHIN: Duration = Duration::from_secs(10);
pub(crate) const LIMITS_EVERY: Duration = Duration::from_secs(300);
/// Maximum of expired voices deleted at once.
const EXPIRED_AT_ONCE: usize = 10;
/// Maximum of failed deletions for one slot.
const TRIES_MAX: u32 = 3;

/// What a job knows and needs when it requests a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SlotDemand {
    /// A call waits. A voice may be deleted if the account is full.
    Normal,
    /// The provider refused a clone because the account is full.
    AccountFull,
    /// A prefetch: no voice is deleted for it.
    CloneAhead,
}

/// A clone job requests a slot.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct RequestSlot {
    /// The job.
    pub job: CloneJobId,
    /// Whether the account is known to be full, and whether a voice may be deleted.
    pub demand: SlotDemand,
    /// Receives whether the job has a slot.
    pub reply: oneshot::Sender<bool>,
}

/// Loads the existing voices, and the live calls that may use one, at the start.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct LoadExisting {
    /// Voices at the provider.
    pub voices: Vec<ExistingVoice>,
    /// Live calls and their voices, which must not be deleted.
    pub in_use: Vec<(CallId, VoiceId)>,
    /// Whether the database knows all our voices.
    pub origin: DatabaseOrigin,
}

/// A call ended and releases its voice.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct ReleaseVoice(pub CallId);

/// A job that waits for a slot.
struct SlotRequest {
    job: CloneJobId,
    tries: u32,
    reply: oneshot::Sender<bool>,
}

/// Result of a deletion at the provider.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct DeletionTried {
    voice: VoiceId,
    held: HeldVoice,
    why: &'static str,
    /// `None`: the deletion failed and the voice may still exist.
    deleted: Option<VoiceDeleted>,
    waiting: Option<SlotRequest>,
}

#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct AccountLimits {
    slots: Option<(usize, usize)>,
    edits: Option<(usize, usize)>,
}

impl VoiceBook {
    fn answer(&mut self, slot: Slot, waiting: SlotRequest, ctx: &mut Context<Self>) {
        match slot {
            Slot::Granted => self.grant(waiting),
            Slot::After(voice, held) if waiting.tries < TRIES_MAX => {
                self.delete(voice, held, "evicted", Some(waiting), ctx);
            }
            Slot::After(voice, _) => {
                self.slots.deletion_failed(&voice);
                let _ = waiting.reply.send(false);
            }
            Slot::None => {
                let _ = waiting.reply.send(false);
            }
        }
    }

    /// Grants a slot, unless the job has stopped meanwhile.
    fn grant(&mut self, waiting: SlotRequest) {
        if waiting.reply.send(true).is_err() {
            self.slots.release(waiting.job);
        }
    }

    /// Deletes a voice at the provider. It is removed from the cache first.
    fn delete(
        &mut self,
        voice: VoiceId,
        held: HeldVoice,
        why: &'static str,
        waiting: Option<SlotRequest>,
        ctx: &mut Context<Self>,
    ) {
        if self.rules.cached(&held.key, clock::now()) == Some(&voice) {
            self.rules.forget(&held.key);
        }
        let (services, book) = (Arc::clone(&self.services), ctx.address());
        actix::spawn(async move {
            let deleted = if let Some(_under_way) = services.persistence_state.may_act().await {
                let answer = services.clients.here().bulk.delete_voice(&voice, DELETE_WITHIN).await;
                services.provider.note(&answer);
                if let Err(error) = &answer {
                    warn!(services.log, "could not delete a voice, retrying later";
                        "job" => %held.job, "error" => %error);
                }
                if matches!(answer, Ok(VoiceDeleted::Now)) {
                    services.capacity.voice_deleted();
                }
                answer.ok()
            } else {
                None
            };
            book.do_send(DeletionTried { voice, held, why, deleted, waiting });
        });
    }

    /// Deletes expired voices.
    pub(crate) fn delete_expired(&mut self, ctx: &mut Context<Self>) {
        if !self.is_loaded {
            return;
        }
        for (voice, held) in self.slots.expired(clock::now(), EXPIRED_AT_ONCE) {
            self.delete(voice, held, "expired", None, ctx);
        }
    }

    /// Reads slots and edits of the account from the provider.
    pub(crate) fn read_account_limits(&self, ctx: &mut Context<Self>) {
        if !self.is_loaded {
            return;
        }
        let (services, book) = (Arc::clone(&self.services), ctx.address());
        actix::spawn(async move {
            let answer = services.clients.here().bulk.subscription(LIMITS_WITHIN).await;
            services.provider.note(&answer);
            // The next read retries; the provider's health shows the failure.
            let Ok(account) = answer else { return };
            let shown = |number: Option<i64>| number.and_then(|number| u64::try_from(number).ok());
            let slots = Measure { used: shown(account.voice_slots_used), limit: shown(account.voice_limit) };
            let edits = Measure {
                used: shown(account.voice_add_edit_counter),
                limit: shown(account.max_voice_add_edits),
            };
            services.capacity.account(slots, edits, clock::now());
            let count = |number: Option<i64>| number.and_then(|number| usize::try_from(number).ok());
            book.do_send(AccountLimits {
                slots: count(account.voice_slots_used).zip(count(account.voice_limit)),
                edits: count(account.voice_add_edit_counter).zip(count(account.max_voice_add_edits)),
            });
        });
    }

    pub(crate) fn record_deletion(
        &self,
        voice: &VoiceId,
        held: &HeldVoice,
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
        self.services.persistence.do_send(Append {
            entries: vec![entry],
            webhooks: Vec::new(),
            reply: ctx.address().recipient(),
        });
    }
}

impl Handler<RequestSlot> for VoiceBook {
    type Result = ();

    fn handle(&mut self, RequestSlot { job, demand, reply }: RequestSlot, ctx: &mut Context<Self>) {
        let slot = match demand {
            SlotDemand::Normal => self.slots.request(job),
            SlotDemand::AccountFull => self.slots.account_full(job),
            SlotDemand::CloneAhead if self.slots.free() == Some(0) => Slot::None,
            SlotDemand::CloneAhead => self.slots.request(job),
        };
        self.answer(slot, SlotRequest { job, tries: 0, reply }, ctx);
    }
}

impl Handler<DeletionTried> for VoiceBook {
    type Result = ();

    fn handle(&mut self, tried: DeletionTried, ctx: &mut Context<Self>) {
        let DeletionTried { voice, held, why, deleted, waiting } = tried;
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
                // Not in the cache any more: it is deleted later like an expired voice. Another one may be deleted
                // now.
                let slot = self.slots.account_full(waiting.job);
                self.slots.deletion_failed(&voice);
                self.slots.expire_caller(&held.key);
                let waiting = SlotRequest { tries: waiting.tries.saturating_add(1), ..waiting };
                self.answer(slot, waiting, ctx);
            }
            (None, None) => {
                self.slots.deletion_failed(&voice);
            }
        }
    }
}

impl Handler<AccountLimits> for VoiceBook {
    type Result = ();

    fn handle(&mut self, AccountLimits { slots, edits }: AccountLimits, _: &mut Context<Self>) {
        if let Some((taken, limit)) = slots {
            self.slots.set_limit(limit, taken);
        }
        self.slots.set_edits(edits.map(|(made, most)| most.saturating_sub(made)));
    }
}

impl Handler<LoadExisting> for VoiceBook {
    type Result = ();

    fn handle(&mut self, LoadExisting { voices, in_use, origin }: LoadExisting, ctx: &mut Context<Self>) {
        for found in voices.into_iter().rev() {
            let held = HeldVoice {
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
        self.origin = origin;
        self.is_loaded = true;
        self.read_account_limits(ctx);
    }
}

impl Handler<ReleaseVoice> for VoiceBook {
    type Result = ();

    fn handle(&mut self, ReleaseVoice(call): ReleaseVoice, _: &mut Context<Self>) {
        self.slots.unpin(call);
    }
}

impl Handler<Durable> for VoiceBook {
    type Result = ();

    /// Nothing waits for the record of a deletion. If it is lost, the voice is deleted again, which does no harm.
    fn handle(&mut self, _: Durable, _: &mut Context<Self>) {}
}
