//! A start must not leave the live calls of the last one behind. It refuses a configuration that does not lead to
//! their legs, unless the administrator abandons them: then their callers go to the fallback destination.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use precall_call::Told;
use precall_providers::threecx::access_token::TokenPublisher;
use precall_providers::threecx::action::Destination;
use precall_providers::threecx::client::ThreeCx;
use precall_providers::threecx::settings::Settings as PbxSettings;
use precall_providers::threecx::token::TokenClient;
use precall_store::leader::live_calls;
use precall_store::readiness::{Finding, State};
use slog::{info, warn};

use super::database_watch::waiting;
use super::recovery::Recovery;
use super::settings::LiveCalls;
use crate::admission::call_supervisor::Resumption;
use crate::pbx::leg_commands::turn_away_with;
use crate::pbx::pbx_feed::own_legs;

/// Name of the finding about live calls.
pub(super) const LIVE_CALLS: &str = "live calls";
/// How long a start with live calls waits for the PBX's answer about its credentials. The music plays meanwhile.
const TOKEN_WITHIN: Duration = Duration::from_secs(2);

impl Recovery {
    /// Decides what becomes of the live calls of the last start.
    pub(super) async fn resumption(&self) -> Result<Resumption, Finding> {
        let client = self.services.pool.get().await.map_err(|error| waiting(error.into()))?;
        let live = live_calls::read(&**client).await.map_err(waiting)?;
        if live.calls == 0 {
            return Ok(Resumption::GoOn);
        }
        if let LiveCalls::Abandon { pbx } = &self.live_calls {
            return Ok(self.abandon(live.calls, pbx.as_ref()).await);
        }
        let pbx = self.settings().live_leg.as_ref().map(|leg| leg.client.place());
        let why = match (pbx, &live.pbx) {
            (None, _) => {
                Some("this configuration uses no 3CX call control (CALL_ROUTE, THREECX_*)".to_owned())
            }
            (Some(pbx), Some(before)) if pbx != *before => {
                Some(format!("their legs are at {before}, and this configuration leads to {pbx}"))
            }
            (Some(_), _) => self.refused_credentials().await,
        };
        match why {
            None => Ok(Resumption::GoOn),
            Some(why) => Err(refusal(live.calls, &why)),
        }
    }

    /// What 3CX says if it refuses the credentials. `None` if it accepts them, or does not answer.
    async fn refused_credentials(&self) -> Option<String> {
        let side = self.services.pbx.as_ref()?;
        tokio::time::timeout(TOKEN_WITHIN, side.state.token_refusal()).await.ok().flatten()
    }

    /// Sends the callers of the live calls to the fallback destination, if 3CX lets precall.
    async fn abandon(&self, calls: i64, pbx: Option<&Arc<PbxSettings>>) -> Resumption {
        warn!(self.services.log, "abandoning the live calls of the last start"; "calls" => calls);
        if self.services.pbx.is_some() {
            // The feed shows their legs.
            return Resumption::SendAway;
        }
        let told = match pbx {
            Some(pbx) => self.send_legs_away(pbx).await,
            None => Err("this configuration has no access to 3CX (THREECX_*)".to_owned()),
        };
        Resumption::Ended(told.unwrap_or_else(|error| {
            warn!(self.services.log, "the callers of abandoned calls stay where they are"; "error" => error);
            Told::Nothing
        }))
    }

    async fn send_legs_away(&self, pbx: &Arc<PbxSettings>) -> Result<Told, String> {
        let (tokens, mut publisher) = TokenPublisher::channel();
        let granted = TokenClient::new(Arc::clone(pbx)).ask().await.map_err(|error| error.to_string())?;
        publisher.publish(&granted.bearer);
        let client = Rc::new(ThreeCx::new(Arc::clone(pbx), tokens));
        let listed = own_legs(&client, pbx).await;
        let legs = listed.map_err(|error| error.describe(pbx).unwrap_or_default())?;
        info!(self.services.log, "sending legs to the fallback destination"; "legs" => legs.len());
        let line = &self.settings().default_line;
        let ringing = line.rules.transfer_ring;
        let destination = line.fallback_destination.clone().map(|to| Destination { to, ringing });
        for leg in legs {
            turn_away_with(Rc::clone(&client), &self.services.log, &leg.leg, destination.clone());
        }
        Ok(if destination.is_some() { Told::Person } else { Told::Nothing })
    }
}

fn refusal(calls: i64, why: &str) -> Finding {
    let words = format!(
        "live calls of the last start have their callers at 3CX ({calls}), and {why}: these callers would hear \
         silence. Start with the earlier settings until the calls have ended, or start once with `precall serve \
         --abandon-live-calls`, which sends the callers to FALLBACK_DESTINATION"
    );
    Finding { name: LIVE_CALLS, state: State::Wrong, words }
}
