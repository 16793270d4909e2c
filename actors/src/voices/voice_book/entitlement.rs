//! Voices that nobody may hear any more: consents withdrawn or expired, mappings gone. The tables are looked at every few seconds, so that
//! what somebody changed there counts whoever changed it, and whatever was lost in between; who changes it says so, to be heard at once.

use std::sync::Arc;
use std::time::Duration;

use actix::{AsyncContext, Context, Handler, Message};
use precall_base::clock;
use precall_call::{CallId, NoVoice};
use precall_store::StoreError;
use precall_store::voices;
use precall_store::voices::{Unentitled, UnentitledWhy};
use slog::{info, warn};

use super::VoiceBook;
use crate::caller_key::CallerKey;

/// Between two looks.
pub(crate) const LOOK_EVERY: Duration = Duration::from_secs(15);
/// One look.
const LOOK_WITHIN: Duration = Duration::from_secs(5);

/// Live calls that speak with a voice, or may, which nobody may hear any more.
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub struct VoiceGone {
    /// Which.
    pub calls: Vec<CallId>,
    /// Why there is none now.
    pub why: NoVoice,
}

/// These callers' voices must not be used from now on: what has not been uploaded is not.
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub struct Revoke {
    /// Whose.
    pub keys: Vec<CallerKey>,
    /// What their calls hear.
    pub why: NoVoice,
}

/// Something about mappings or consents changed.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct LookAtEntitlements;

#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct NobodyMayHear(Vec<Unentitled>);

impl VoiceBook {
    pub(crate) fn look_at_entitlements(&self, ctx: &mut Context<Self>) {
        if !self.knows_existing {
            return;
        }
        let (services, book) = (Arc::clone(&self.services), ctx.address());
        actix::spawn(async move {
            let look = async {
                let client = services.pool.get().await?;
                voices::unentitled(&**client, services.settings.consent, clock::now()).await
            };
            match tokio::time::timeout(LOOK_WITHIN, look).await.unwrap_or(Err(StoreError::TooSlow)) {
                Ok(found) if found.is_empty() => {}
                Ok(found) => book.do_send(NobodyMayHear(found)),
                Err(error) => {
                    warn!(services.log, "could not check voice permissions, retrying"; "error" => %error);
                }
            }
        });
    }

    /// Jobs are left alone: one that runs may be of another sample, which somebody agreed to since.
    fn nobody_may_hear(&mut self, found: &Unentitled) {
        let key = CallerKey { account: found.account.clone(), caller: found.caller.clone() };
        if self.book.peek(&key, clock::now()) == Some(&found.voice) {
            self.book.forget(&key);
            let why = found.why.no_voice().name();
            info!(self.services.log, "a voice may not be used any more"; "why" => why);
        }
        self.slots.expire(&found.voice);
        // What has only run out is heard to the end of its conversations.
        let calls = match found.why {
            UnentitledWhy::Ended => self.slots.users_of(&found.voice),
            UnentitledWhy::Unmapped | UnentitledWhy::Never | UnentitledWhy::Expired => Vec::new(),
        };
        if !calls.is_empty() {
            self.gone_voices.do_send(VoiceGone { calls, why: found.why.no_voice() });
        }
    }
}

impl Handler<Revoke> for VoiceBook {
    type Result = ();

    fn handle(&mut self, Revoke { keys, why }: Revoke, ctx: &mut Context<Self>) {
        for key in keys {
            let orders = self.book.revoke(&key, why);
            self.perform(orders, ctx);
            self.slots.not_wanted(&key);
        }
        self.sweep(ctx);
        // Calls that speak with one hear of it from there.
        self.look_at_entitlements(ctx);
    }
}

impl Handler<LookAtEntitlements> for VoiceBook {
    type Result = ();

    fn handle(&mut self, _: LookAtEntitlements, ctx: &mut Context<Self>) {
        self.look_at_entitlements(ctx);
    }
}

impl Handler<NobodyMayHear> for VoiceBook {
    type Result = ();

    fn handle(&mut self, NobodyMayHear(found): NobodyMayHear, ctx: &mut Context<Self>) {
        for found in &found {
            self.nobody_may_hear(found);
        }
        self.sweep(ctx);
    }
}
