//! Revokes voices whose consent was withdrawn or expired, or whose mapping is gone. precall checks the tables every
//! 15 seconds, so that it also notices direct changes; the API requests a check at once.

use std::sync::Arc;
use std::time::Duration;

use actix::{AsyncContext, Context, Handler, Message};
use precall_base::clock;
use precall_call::{CallId, NoVoice};
use precall_store::voices::{Unentitled, UnentitledWhy};
use precall_store::{StoreError, voices};
use slog::{info, warn};

use super::VoiceBook;
use crate::caller_key::CallerKey;

/// Interval between two checks.
pub(crate) const CHECK_EVERY: Duration = Duration::from_secs(15);
/// Time limit of one check.
const CHECK_WITHIN: Duration = Duration::from_secs(5);

/// Live calls that use, or may use, a revoked voice.
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct VoiceRevoked {
    /// The calls.
    pub calls: Vec<CallId>,
    /// Why the voice was revoked.
    pub why: NoVoice,
}

/// Revokes the voices of these callers. A clone that is not uploaded yet is stopped.
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct RevokeVoices {
    /// The callers.
    pub keys: Vec<CallerKey>,
    /// The reason, for their calls.
    pub why: NoVoice,
}

/// Mappings or consents changed: check now.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct CheckEntitlements;

#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct EntitlementsEnded(Vec<Unentitled>);

impl VoiceBook {
    pub(crate) fn check_entitlements(&self, ctx: &mut Context<Self>) {
        if !self.is_loaded {
            return;
        }
        let (services, book) = (Arc::clone(&self.services), ctx.address());
        actix::spawn(async move {
            let check = async {
                let client = services.pool.get().await?;
                voices::unentitled(&**client, services.settings.consent, clock::wall()).await
            };
            match tokio::time::timeout(CHECK_WITHIN, check).await.unwrap_or(Err(StoreError::TooSlow)) {
                Ok(found) if found.is_empty() => {}
                Ok(found) => book.do_send(EntitlementsEnded(found)),
                Err(error) => {
                    warn!(services.log, "could not check voice permissions, retrying"; "error" => %error);
                }
            }
        });
    }

    /// Does not stop clone jobs: a running one may be for another sample with a newer consent.
    fn end_entitlement(&mut self, found: &Unentitled) {
        let key = CallerKey { account: found.account.clone(), caller: found.caller.clone() };
        if self.rules.cached(&key, clock::now()) == Some(&found.voice) {
            self.rules.forget(&key);
            let why = found.why.no_voice().name();
            info!(self.services.log, "voice revoked"; "why" => why);
        }
        self.slots.expire(&found.voice);
        // After an expiry a call keeps the voice to its end.
        let calls = match found.why {
            UnentitledWhy::Ended => self.slots.users_of(&found.voice),
            UnentitledWhy::Unmapped | UnentitledWhy::Never | UnentitledWhy::Expired => Vec::new(),
        };
        if !calls.is_empty() {
            self.revoked_voices.do_send(VoiceRevoked { calls, why: found.why.no_voice() });
        }
    }
}

impl Handler<RevokeVoices> for VoiceBook {
    type Result = ();

    fn handle(&mut self, RevokeVoices { keys, why }: RevokeVoices, ctx: &mut Context<Self>) {
        for key in keys {
            let orders = self.rules.revoke(&key, why);
            self.perform(orders, ctx);
            self.slots.expire_caller(&key);
        }
        self.delete_expired(ctx);
        // This also informs the calls that use such a voice.
        self.check_entitlements(ctx);
    }
}

impl Handler<CheckEntitlements> for VoiceBook {
    type Result = ();

    fn handle(&mut self, _: CheckEntitlements, ctx: &mut Context<Self>) {
        self.check_entitlements(ctx);
    }
}

impl Handler<EntitlementsEnded> for VoiceBook {
    type Result = ();

    fn handle(&mut self, EntitlementsEnded(found): EntitlementsEnded, ctx: &mut Context<Self>) {
        for found in &found {
            self.end_entitlement(found);
        }
        self.delete_expired(ctx);
    }
}
