//! The clock of the simulated PBX: every 20 ms it sends the callers' sound, repeats Upserts, connects and hangs up.
//! One tick for all calls costs less than a timer for each.

use std::time::Instant;

use actix_web::web::Data;
use tokio::time::{Duration, MissedTickBehavior};

use super::call::EndedBy;
use super::caller_sound::{Listener, Speaks};
use super::context::Context;
use super::errand::Errand;
use super::events::{Event, Kind};
use super::faults::StreamFault;
use super::life::{UPSERT_EVERY, time_is_up};
use super::world::World;
use super::{trunk, webhook};

const TICK: Duration = Duration::from_millis(20);
/// Bytes of one tick.
const STEP: usize = 320;
/// The trunks are asked once in this many ticks: every 200 ms.
const TICKS_PER_POLL: u64 = 10;

/// Runs until the server's thread ends.
pub(super) async fn run(context: Data<Context>) {
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut count = 0_u64;
    loop {
        tokio::select! {
            _ = ticks.tick() => {
                count = count.wrapping_add(1);
                context.world().tick(Instant::now());
                if count.is_multiple_of(TICKS_PER_POLL) {
                    trunk::poll(&context);
                }
            }
            () = context.shared.wake.notified() => {}
        }
        run_errands(&context);
    }
}

fn run_errands(context: &Data<Context>) {
    let errands = std::mem::take(&mut context.world().errands);
    for errand in errands {
        let context = context.clone();
        match errand {
            Errand::Notify(notice) => {
                actix_web::rt::spawn(webhook::notify(context, notice));
            }
            Errand::HangUp(hangup) => {
                actix_web::rt::spawn(trunk::hang_up(context, hangup));
            }
        }
    }
}

impl World {
    /// Runs everything that is due.
    fn tick(&mut self, now: Instant) {
        let is_mute = self.faults.streams(StreamFault::Stall);
        for serial in self.calls.live() {
            self.tick_call(serial, is_mute, now);
        }
        if self.later.iter().any(|(due, _)| *due <= now) {
            let (due, later) = std::mem::take(&mut self.later).into_iter().partition(|(due, _)| *due <= now);
            self.later = later;
            let due: Vec<(Instant, Event)> = due;
            for (_, event) in due {
                self.hub.tell(&event);
            }
        }
    }

    fn tick_call(&mut self, serial: u64, is_mute: bool, now: Instant) {
        let Some(call) = self.calls.get_mut(serial) else { return };
        let is_due = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        if is_due(call.hang_up_at) {
            self.end(serial, EndedBy::Caller, now);
            return;
        }
        let kept_until = self.options.kept_without_post.zip(call.silent_since);
        if kept_until.is_some_and(|(kept, since)| now.saturating_duration_since(since) >= kept) {
            self.end(serial, EndedBy::Silent, now);
            return;
        }
        if let Some(by) = time_is_up(call, now) {
            self.end(serial, by, now);
            return;
        }
        self.watch_door(serial, now);
        let tone = self.sound(Speaks::default());
        if let Some(call) = self.calls.get_mut(serial).filter(|call| call.trunk.is_some()) {
            // The second client hears a tone in place of an agent behind a trunk.
            call.relay(tone.get(..STEP).unwrap_or_default());
        }
        let Some(call) = self.calls.get_mut(serial) else { return };
        let connecting = is_due(call.connect_at).then_some(call.participant_id);
        let mut upserts = Vec::new();
        for leg in &mut call.legs {
            leg.gets.retain_mut(|get| {
                let listener = if is_mute { get.stall(now) } else { get.tick(now) };
                listener == Listener::There
            });
            if leg.next_upsert <= now && leg.next_upsert <= leg.upserts_end {
                leg.next_upsert = leg.next_upsert.checked_add(UPSERT_EVERY).unwrap_or(now);
                upserts.push(leg.entity());
            }
        }
        for entity in upserts {
            self.tell(Event::bare(Kind::Upsert, entity), now);
        }
        if let Some(leg) = connecting {
            self.connect(serial, leg, now);
        }
    }
}
