//! A run on a live leg: calls precall's route point through 3CX, and listens as a caller does.

use std::sync::Arc;
use std::time::Duration;

use precall_base::clock;
use precall_call::{At, Route};
use precall_providers::threecx::access_token::TokenPublisher;
use precall_providers::threecx::action::{ActionOutcome, Destination};
use precall_providers::threecx::address::{Dn, LegAddress};
use precall_providers::threecx::client::ThreeCx;
use precall_providers::threecx::error::ThreeCxErrorKind;
use precall_providers::threecx::outgoing::{LegSound, MEDIA_WITHIN};
use precall_providers::threecx::participant::Participant;
use precall_providers::threecx::settings::Settings;
use precall_providers::threecx::token::TokenClient;
use tokio::sync::mpsc;

use super::ear::Ear;
use super::progress::{Progress, RunEnd, crowded};
use crate::call::services::CallServices;
use crate::observe::canary_calls::{CanaryNews, CanaryStep};

/// How long the call may ring.
const RINGS: Duration = Duration::from_secs(30);
/// Time for the PBX to offer the call to precall.
const OFFERED_WITHIN: Duration = Duration::from_secs(15);
const ANSWERED_WITHIN: Duration = Duration::from_secs(30);
/// Time for the first sound of the greeting; the lead silence is part of it.
const GREETED_WITHIN: Duration = Duration::from_secs(15);
/// Time for the greeting, the wait for a voice and the agent.
const AGENT_WITHIN: Duration = Duration::from_secs(90);
const AGENT_HEARD_WITHIN: Duration = Duration::from_secs(20);
const OVER_WITHIN: Duration = Duration::from_secs(10);
/// Time between two looks at the leg and at the room for callers.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// After the audio ended, news of the call say why, if they come.
const REASON_WITHIN: Duration = Duration::from_secs(1);
/// Frames of 20 ms with a sound that count as heard.
const GREETING_FRAMES: u32 = 10;
const AGENT_FRAMES: u32 = 5;
/// Attempts to drop the leg: a leg that stays costs money.
const DROP_TRIES: u32 = 4;

/// What a run is made with.
pub(super) struct LiveRun<'a> {
    pub(super) services: &'a CallServices,
    pub(super) client: Arc<Settings>,
    /// precall's own route point.
    pub(super) route_point: Dn,
    pub(super) route: Route,
    pub(super) max_live_calls: usize,
    pub(super) news: mpsc::Receiver<CanaryNews>,
    pub(super) progress: &'a mut Progress,
}

/// A call under way.
struct Calling<'a> {
    run: LiveRun<'a>,
    pbx: ThreeCx,
    leg: Option<LegAddress>,
    sound: Option<LegSound>,
    ear: Ear,
    sound_ended: Option<At>,
    looked_at: At,
}

impl LiveRun<'_> {
    /// Makes the call and ends it. Limit its time from outside: it must not be dropped before the leg is.
    ///
    /// # Errors
    /// Which step failed.
    pub(super) async fn go(self, within: Duration) -> Result<(), RunEnd> {
        let (tokens, mut publisher) = TokenPublisher::channel();
        let granted = TokenClient::new(Arc::clone(&self.client)).ask().await;
        let granted = granted.map_err(|error| {
            // The words of the client name the variables of precall's own client.
            RunEnd::failed(CanaryStep::Dial, error.to_string().replace("THREECX_CLIENT_", "CANARY_CLIENT_"))
        })?;
        publisher.publish(&granted.bearer);
        let pbx = ThreeCx::new(Arc::clone(&self.client), tokens);
        let mut calling = Calling {
            run: self,
            pbx,
            leg: None,
            sound: None,
            ear: Ear::default(),
            sound_ended: None,
            looked_at: clock::now(),
        };
        let ended = tokio::time::timeout(within, calling.steps()).await;
        calling.let_go().await;
        ended.unwrap_or_else(|_| {
            let words = format!("the run took longer than {} s", within.as_secs());
            Err(RunEnd::failed(calling.step(), words))
        })
    }
}

impl Calling<'_> {
    /// The step after those that are done.
    fn step(&self) -> CanaryStep {
        let last = self.run.progress.done.last().map(|(step, _)| *step);
        let after = CanaryStep::ALL.into_iter().find(|step| last.is_none_or(|last| *step > last));
        after.unwrap_or(CanaryStep::HangUp)
    }

    async fn steps(&mut self) -> Result<(), RunEnd> {
        self.dial().await?;
        self.wait(CanaryStep::Offer, OFFERED_WITHIN, |calling| calling.run.progress.call.is_some()).await?;
        self.answered().await?;
        self.listen().await?;
        self.wait(CanaryStep::Greeting, GREETED_WITHIN, |calling| {
            calling.run.progress.has_greeting && calling.ear.loud_frames() >= GREETING_FRAMES
        })
        .await?;
        self.wait(CanaryStep::Agent, AGENT_WITHIN, |calling| calling.run.progress.agent_since.is_some())
            .await?;
        // On the bridge the greeting may still play when the agent is ready: its first word says when to listen.
        if self.run.route == Route::Bridge {
            let (step, limit) = (CanaryStep::AgentAudio, AGENT_HEARD_WITHIN);
            if !self.pass(step, limit, |calling| calling.run.progress.agent_spoke).await? {
                return Err(RunEnd::failed(step, nothing(step, limit)));
            }
        }
        self.ear.listen_anew();
        self.wait(CanaryStep::AgentAudio, AGENT_HEARD_WITHIN, |calling| {
            calling.ear.loud_frames() >= AGENT_FRAMES
        })
        .await?;
        self.hang_up().await
    }

    async fn dial(&mut self) -> Result<(), RunEnd> {
        let failed = |words: &dyn ToString| RunEnd::failed(CanaryStep::Dial, words.to_string());
        let dn = self.run.client.own_dn().clone();
        // A process that was stopped in a run may have left its leg.
        for left in self.pbx.participants(&dn).await.map_err(|error| failed(&error))? {
            self.drop_leg(&left.leg).await;
        }
        let devices = self.pbx.devices(&dn).await.map_err(|error| failed(&error))?;
        let Some(device) = devices.first() else {
            let words = format!("the route point {dn} (CANARY_CLIENT_ID) has no device to call from");
            return Err(failed(&words));
        };
        let destination = Destination { to: self.run.route_point.as_str().to_owned(), ringing: RINGS };
        let leg = match self.pbx.make_call(&dn, device, &destination).await {
            ActionOutcome::Done(result) => match result.participant {
                Some(leg) => Some(leg),
                None => self.own_leg(&dn).await,
            },
            ActionOutcome::Unknown { message } => {
                let found = self.own_leg(&dn).await;
                found.ok_or_else(|| failed(&message)).map(Some)?
            }
            ActionOutcome::Refused { reason, message } => {
                let words = format!("3CX refused the call ({}): {message}", reason.name());
                return Err(failed(&words));
            }
            ActionOutcome::Over => return Err(failed(&"3CX says that the call is over")),
        };
        let Some(leg) = leg else { return Err(failed(&"the call was made, but its leg does not appear")) };
        self.leg = Some(leg.leg);
        self.run.services.canary.expect(leg.call_id);
        self.run.progress.done(CanaryStep::Dial);
        Ok(())
    }

    /// The leg of a call whose answer was lost or says nothing of it. All other legs of this DN were dropped before.
    async fn own_leg(&self, dn: &Dn) -> Option<Participant> {
        self.pbx.participants(dn).await.ok()?.into_iter().next()
    }

    async fn answered(&mut self) -> Result<(), RunEnd> {
        let until = clock::now().plus(ANSWERED_WITHIN);
        let Some(leg) = self.leg.clone() else { return Ok(()) };
        loop {
            match self.pbx.participant(&leg).await {
                Ok(seen) if seen.is_connected() => break,
                Ok(_) => {}
                Err(error) if error.means_gone() => {
                    // The call says better why.
                    self.pass(CanaryStep::Answer, REASON_WITHIN, |_| false).await?;
                    let words = "the PBX ended the call before it was answered";
                    return Err(RunEnd::failed(CanaryStep::Answer, words));
                }
                Err(_) => {}
            }
            if clock::now() >= until {
                let words = format!("not answered within {} s", ANSWERED_WITHIN.as_secs());
                return Err(RunEnd::failed(CanaryStep::Answer, words));
            }
            self.pass(CanaryStep::Answer, LOOK_EVERY, |_| false).await?;
        }
        self.run.progress.done(CanaryStep::Answer);
        Ok(())
    }

    /// Opens the sound of the canary's own leg.
    async fn listen(&mut self) -> Result<(), RunEnd> {
        let until = clock::now().plus(MEDIA_WITHIN);
        let Some(leg) = self.leg.clone() else { return Ok(()) };
        loop {
            let error = match self.pbx.listen(&leg).await {
                Ok(sound) => {
                    self.sound = Some(sound);
                    return Ok(());
                }
                Err(error) => error,
            };
            let is_early = matches!(error.kind, ThreeCxErrorKind::NotFound | ThreeCxErrorKind::NotReady);
            if !is_early || clock::now() >= until {
                let words = format!("3CX does not open the audio of the canary's leg: {error}");
                return Err(RunEnd::failed(CanaryStep::Greeting, words));
            }
            self.pass(CanaryStep::Greeting, LOOK_EVERY, |_| false).await?;
        }
    }

    async fn hang_up(&mut self) -> Result<(), RunEnd> {
        if let Some(leg) = self.leg.take() {
            match self.pbx.drop_leg(&leg).await {
                ActionOutcome::Done(_) | ActionOutcome::Over => {}
                ActionOutcome::Refused { message, .. } | ActionOutcome::Unknown { message } => {
                    self.leg = Some(leg);
                    return Err(RunEnd::failed(CanaryStep::HangUp, message));
                }
            }
        }
        self.sound = None;
        // A transferred call is over for precall only when the agent's report comes.
        let is_transferred = self.run.route == Route::Transfer;
        self.wait(CanaryStep::HangUp, OVER_WITHIN, |calling| {
            is_transferred || calling.run.progress.over.is_some()
        })
        .await
    }

    /// Waits for a step to be done.
    async fn wait(
        &mut self,
        step: CanaryStep,
        limit: Duration,
        is_done: impl Fn(&Self) -> bool,
    ) -> Result<(), RunEnd> {
        if !self.pass(step, limit, is_done).await? {
            return Err(RunEnd::failed(step, nothing(step, limit)));
        }
        self.run.progress.done(step);
        Ok(())
    }

    /// Lets time pass until a condition holds, and takes news and sound meanwhile. False if it did not hold in time.
    async fn pass(
        &mut self,
        step: CanaryStep,
        limit: Duration,
        is_done: impl Fn(&Self) -> bool,
    ) -> Result<bool, RunEnd> {
        let until = clock::now().plus(limit);
        while !is_done(self) {
            let left = until.since(clock::now());
            if left.is_zero() {
                return Ok(false);
            }
            let run = &mut self.run;
            tokio::select! {
                Some(news) = run.news.recv() => run.progress.take(news, step)?,
                piece = next(&mut self.sound) => match piece {
                    Some(piece) => self.ear.hear(&piece),
                    None => {
                        self.sound = None;
                        self.sound_ended.get_or_insert_with(clock::now);
                    }
                },
                () = tokio::time::sleep(left.min(LOOK_EVERY)) => {}
            }
            // By the clock: while sound comes, the pause above never ends.
            let now = clock::now();
            if now.since(self.looked_at) >= LOOK_EVERY {
                self.looked_at = now;
                self.look(step)?;
            }
        }
        Ok(true)
    }

    fn look(&self, step: CanaryStep) -> Result<(), RunEnd> {
        if step == CanaryStep::HangUp {
            return Ok(());
        }
        if let Some(why) = crowded(self.run.services, self.run.max_live_calls) {
            return Err(RunEnd::Interrupted(why));
        }
        if self.sound_ended.is_some_and(|at| clock::now().since(at) >= REASON_WITHIN) {
            return Err(RunEnd::failed(step, "the audio of the canary's leg ended"));
        }
        Ok(())
    }

    /// Drops the leg, if it is still there.
    async fn let_go(&mut self) {
        self.sound = None;
        if let Some(leg) = self.leg.take() {
            self.drop_leg(&leg).await;
        }
    }

    async fn drop_leg(&self, leg: &LegAddress) {
        for pause in 0..DROP_TRIES {
            tokio::time::sleep(LOOK_EVERY * pause).await;
            if matches!(self.pbx.drop_leg(leg).await, ActionOutcome::Done(_) | ActionOutcome::Over) {
                return;
            }
        }
    }
}

fn nothing(step: CanaryStep, limit: Duration) -> String {
    let what = match step {
        CanaryStep::Offer => "3CX showed precall no call of the canary",
        CanaryStep::Greeting => "no sound of the greeting reached the canary",
        CanaryStep::Agent => "no agent was connected",
        CanaryStep::AgentAudio => "no sound of the agent reached the canary",
        CanaryStep::HangUp => "precall did not end the call",
        CanaryStep::Dial | CanaryStep::Answer | CanaryStep::LookUp => "no answer",
    };
    format!("within {} s {what}", limit.as_secs())
}

/// The next piece of sound; none at its end. Waits for ever without a stream.
async fn next(sound: &mut Option<LegSound>) -> Option<bytes::Bytes> {
    match sound {
        Some(sound) => sound.next().await?.ok(),
        None => std::future::pending().await,
    }
}
