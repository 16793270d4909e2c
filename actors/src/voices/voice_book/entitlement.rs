//! Voices that nobody may hear any more: consents withdrawn or expired, mappings gone. The tables are looked at every few seconds, so that
//! what somebody changed there counts whoever changed it, and whatever was lost in between; who changes it says so, to be heard at once.

use std::time::Duration;

use actix::{AsyncContext, Context, Handler, Message, Recipient};
use precall_base::clock;
use precall_call::{CallId, NoVoice};
use precall_store::StoreError;
use precall_store::voices;
use precall_store::voices::{Unentitled, UnentitledWhy};
use slog::{info, warn};

use super::{VoiceBook, VoiceKey};

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

/// Who passes [`VoiceGone`] on.
#[derive(Message)]
#[rtype(result = "()")]
pub struct TellOfGoneVoices(pub Recipient<VoiceGone>);

/// These callers' voices must not be used from now on: what has not been uploaded is not.
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub struct Revoke {
    /// Whose.
    pub keys: Vec<VoiceKey>,
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
        let (true, Some(shared)) = (self.knows_existing, self.shared.clone()) else { return };
        let book = ctx.address();
        actix::spawn(async move {
            let look = async {
                let client = shared.pool.get().await?;
                voices::unentitled(&**client, shared.settings.consent, clock::now()).await
            };
            match tokio::time::timeout(LOOK_WITHIN, look).await.unwrap_or(Err(StoreError::TooSlow)) {
                Ok(found) if found.is_empty() => {}
                Ok(found) => book.do_send(NobodyMayHear(found)),
                Err(error) => {
                    warn!(shared.log, "it could not be looked whose voices may be heard"; "error" => %error);
                }
            }
        });
    }

    /// Jobs are left alone: one that runs may be of another sample, which somebody agreed to since.
    fn nobody_may_hear(&mut self, found: &Unentitled) {
        let key = VoiceKey { account: found.account.clone(), caller: found.caller.clone() };
        if self.book.peek(&key, clock::now()) == Some(&found.voice) {
            self.book.forget(&key);
            if let Some(shared) = &self.shared {
                info!(shared.log, "a voice may not be heard any more"; "why" => found.why.no_voice().name());
            }
        }
        self.slots.expire(&found.voice);
        // What has only run out is heard to the end of its conversations.
        let calls = match found.why {
            UnentitledWhy::Ended => self.slots.users_of(&found.voice),
            UnentitledWhy::Unmapped | UnentitledWhy::Never | UnentitledWhy::Expired => Vec::new(),
        };
        if let (false, Some(supervisor)) = (calls.is_empty(), &self.gone_voices) {
            supervisor.do_send(VoiceGone { calls, why: found.why.no_voice() });
        }
    }
}

impl Handler<TellOfGoneVoices> for VoiceBook {
    type Result = ();

    fn handle(&mut self, TellOfGoneVoices(supervisor): TellOfGoneVoices, _: &mut Context<Self>) {
        self.gone_voices = Some(supervisor);
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
