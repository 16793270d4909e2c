//! The legs in a planned change of the leader: the process that leaves plays on until each conversation is at a pause,
//! and its successor takes each leg then.
//!
//! The one that leaves lists its legs, and then ten times a second those that are not at a pause. If it says nothing
//! more, its successor takes all of them. The successor takes none before its calls are read back: the caller would
//! hear music until then.

use std::collections::HashSet;
use std::time::Duration;

use precall_base::clock;
use precall_providers::threecx::address::{Dn, LegAddress, ParticipantId};
use precall_store::error::StoreError;
use precall_store::leader::hand_over::{self, HandOverRow};
use slog::{info, warn};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use super::recovery::{LateFeed, Recovery};
use super::start::Engine;
use crate::pbx::pbx_feed::StopFeed;
use crate::pbx::pbx_health::TokenState;
use crate::pbx::pbx_side::PbxSide;

/// The number of the first list.
pub(super) const FIRST_BEAT: u64 = 1;
/// Interval of the list, and of the look at it.
const SAY_EVERY: Duration = Duration::from_millis(100);
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// How long the database may take for one of them.
const ANSWER_WITHIN: Duration = Duration::from_millis(500);
/// The list counts no more when it was not renewed for this long.
const RENEWED_WITHIN: Duration = Duration::from_secs(1);
/// How long a successor waits for pauses, if its lines give an attempt at a handoff twice that time.
const TAKE_WITHIN: Duration = Duration::from_secs(10);
/// How long the process that leaves plays on in all: its successor may have to read many calls back first.
const PLAY_ON_MAX: Duration = Duration::from_secs(15);
/// The same once the successor has read the calls back, and no leg is in the middle of something. It is less than a
/// successor asks for a leg that the PBX does not give it.
const TAKEN_WITHIN: Duration = Duration::from_secs(3);

impl Engine {
    /// Lists the legs for the successor: the first time all, then those that are not at a pause. Without a list it
    /// takes all legs at once.
    pub(super) async fn list_legs(&self, generation: u64, beat: u64) -> Listed {
        let services = &self.handle.services;
        let Some(pbx) = &services.pbx else { return Listed::default() };
        let turns = pbx.media.turns().await;
        let open = turns.iter().filter(|turn| turn.is_open);
        let in_turn = open.clone().filter(|turn| turn.is_in_turn).count();
        let shown = open.clone().filter(|turn| turn.is_in_turn || beat == FIRST_BEAT);
        let legs = shown.map(|turn| name(&turn.address)).collect();
        let mut listed = Listed { open: open.count(), in_turn, successor_has_calls: false };
        let token = if beat == FIRST_BEAT { sealed_token(pbx) } else { None };
        let row = HandOverRow { generation, beat, legs, token };
        let written = timeout(ANSWER_WITHIN, async {
            let client = services.pool.get().await?;
            hand_over::write(&**client, &row).await
        });
        match written.await.unwrap_or(Err(StoreError::TooSlow)) {
            Ok(successor_has_calls) => listed.successor_has_calls = successor_has_calls,
            Err(error) if beat == FIRST_BEAT => {
                warn!(services.log, "could not say which conversations are at a pause"; "error" => %error);
            }
            // It is tried ten times a second: one line is enough.
            Err(_) => {}
        }
        listed
    }

    /// Takes the token out of the row: the successor has had time to take it, or there is none.
    pub(super) async fn forget_token(&self, generation: u64) {
        let pool = &self.handle.services.pool;
        let forgotten =
            timeout(ANSWER_WITHIN, async { hand_over::forget_token(&**pool.get().await?, generation).await });
        // Nobody but a process with the secret can open it, and 3CX takes it for an hour at most.
        let _ = forgotten.await;
    }

    /// The callers hear on what plays until the PBX gives their legs to the successor.
    pub(super) async fn play_on(&self, generation: u64) {
        let services = &self.handle.services;
        let Some(pbx) = &services.pbx else { return };
        pbx.media.hand_over().leave();
        // The successor uses the same token, and the PBX has one event stream for each.
        pbx.stop_feed.do_send(StopFeed);
        let until = Instant::now() + PLAY_ON_MAX;
        let mut idle_since = None;
        for beat in FIRST_BEAT + 1.. {
            let Listed { open, in_turn, successor_has_calls } = self.list_legs(generation, beat).await;
            let now = Instant::now();
            if in_turn > 0 || !successor_has_calls {
                idle_since = None;
            }
            let is_idle = now.duration_since(*idle_since.get_or_insert(now)) >= TAKEN_WITHIN;
            if open == 0 || is_idle || now >= until {
                info!(services.log, "ending the audio of legs that another precall has"; "still_open" => open);
                return self.forget_token(generation).await;
            }
            sleep(SAY_EVERY).await;
        }
    }
}

/// The access token for the successor.
fn sealed_token(pbx: &PbxSide) -> Option<Vec<u8>> {
    let TokenState::Held { since, life, .. } = pbx.state.token() else { return None };
    pbx.client.here().sealed_token(life.saturating_sub(clock::now().since(since)))
}

/// The legs at one moment.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Listed {
    /// Legs whose audio the PBX takes from this process.
    open: usize,
    /// Those that are not at a pause.
    in_turn: usize,
    /// The successor has read the calls back.
    successor_has_calls: bool,
}

impl Recovery {
    /// Leaves its legs to the last leader, if it has left by plan, until `has_calls` and each is at a pause. Returns
    /// once it is known which these are.
    pub(super) async fn wait_for_pauses(&self, feed: &mut LateFeed) {
        let Some(pbx) = &self.services.pbx else { return };
        let asked = timeout(ANSWER_WITHIN, async {
            let client = self.services.pool.get().await?;
            let row = hand_over::of_last_leader(&**client).await?;
            if let Some(row) = row.as_ref().filter(|row| row.token.is_some()) {
                hand_over::forget_token(&**client, row.generation).await?;
            }
            Ok(row)
        });
        match asked.await.unwrap_or(Err(StoreError::TooSlow)) {
            Ok(Some(row)) if !row.legs.is_empty() => {
                info!(self.services.log, "the last leader plays on into its legs";
                    "legs" => row.legs.len());
                self.leave_to_other(&row);
                if let Some(feed) = &mut feed.feed {
                    feed.inherited =
                        row.token.as_deref().and_then(|sealed| pbx.client.here().open_token(sealed));
                }
                let (following, has_calls) = (self.clone(), feed.has_calls.subscribe());
                actix::spawn(async move { following.follow_pauses(row, has_calls).await });
            }
            Ok(_) => {}
            Err(error) => {
                warn!(self.services.log, "could not read which conversations are at a pause"; "error" => %error);
            }
        }
    }

    fn leave_to_other(&self, row: &HandOverRow) {
        if let Some(pbx) = &self.services.pbx {
            pbx.media.hand_over().set_elsewhere(row.legs.iter().filter_map(|leg| address(leg)).collect());
        }
    }

    /// Takes each leg when it is off the list, and all when the list is over.
    async fn follow_pauses(&self, mut last: HandOverRow, has_calls: watch::Receiver<bool>) {
        let Some(pbx) = &self.services.pbx else { return };
        let within = TAKE_WITHIN.min(self.settings().default_line.rules.handoff_max / 2);
        let (until, mut renewed, mut has_told) = (Instant::now() + within, Instant::now(), false);
        let why = loop {
            sleep(LOOK_EVERY).await;
            if !has_told && *has_calls.borrow() {
                has_told = true;
                self.tell_has_calls(last.generation).await;
            }
            if let Some(row) = self.list(last.generation).await
                && row.beat != last.beat
            {
                renewed = Instant::now();
                if *has_calls.borrow() {
                    self.leave_to_other(&row);
                }
                last = row;
            }
            let now = Instant::now();
            if last.legs.is_empty() && *has_calls.borrow() {
                break "all conversations were at a pause";
            } else if now >= until {
                break "no pause in time";
            } else if now.duration_since(renewed) >= RENEWED_WITHIN {
                break "the last leader says nothing more";
            }
        };
        pbx.media.hand_over().set_elsewhere(HashSet::new());
        info!(self.services.log, "taking all legs of the last leader"; "reason" => why,
            "not_at_a_pause" => last.legs.len());
    }

    /// The other process may end its audio once the PBX has taken it away.
    async fn tell_has_calls(&self, generation: u64) {
        let said = timeout(ANSWER_WITHIN, async {
            hand_over::set_has_calls(&**self.services.pool.get().await?, generation).await
        });
        // Without it the other one plays on for a while.
        let _ = said.await;
    }

    async fn list(&self, generation: u64) -> Option<HandOverRow> {
        let read = timeout(ANSWER_WITHIN, async {
            let client = self.services.pool.get().await.ok()?;
            hand_over::read(&**client, generation).await.ok()?
        });
        read.await.ok()?
    }
}

/// A leg as the list has it.
fn name(leg: &LegAddress) -> String {
    format!("{}/{}", leg.dn, leg.participant)
}

fn address(name: &str) -> Option<LegAddress> {
    let (dn, participant) = name.rsplit_once('/')?;
    Some(LegAddress { dn: Dn::new(dn), participant: ParticipantId(participant.parse().ok()?) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leg_is_read_as_it_was_written() {
        for dn in ["900", "a/b", ""] {
            let leg = LegAddress { dn: Dn::new(dn), participant: ParticipantId(u64::MAX) };
            assert_eq!(address(&name(&leg)), Some(leg));
        }
        assert!(address("900").is_none() && address("900/x").is_none());
    }
}
