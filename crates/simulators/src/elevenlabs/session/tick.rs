//! The clock of all conversations: every 20 ms each runs what is due. A timer for each would cost ten times as much.

use std::time::{Duration, Instant};

use actix_web::web::Data;
use tokio::time::MissedTickBehavior;

use super::output;
use crate::elevenlabs::context::Context;
use crate::elevenlabs::world::World;

const TICK: Duration = Duration::from_millis(20);
/// How long a client is given to take what is left and to close on its side.
const PATIENCE: Duration = Duration::from_secs(2);

/// Starts the clock unless it runs.
pub(super) fn keep_going(context: &Data<Context>) {
    if !context.ticking.replace(true) {
        actix_web::rt::spawn(run(context.clone()));
    }
}

/// Runs while there is a connection.
async fn run(context: Data<Context>) {
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    while !context.connections.is_empty() {
        ticks.tick().await;
        let now = Instant::now();
        for number in context.connections.numbers() {
            {
                let mut world = context.world();
                let World { sessions, voices, .. } = &mut *world;
                let Some(session) = sessions.get_mut(number).filter(|session| !session.is_frozen) else {
                    continue;
                };
                session.tick(voices, now);
                if session.abandoned_at(PATIENCE).is_some_and(|at| now >= at) {
                    context.connections.close(number);
                }
            }
            output::pass_on(&context, number);
        }
    }
    context.ticking.set(false);
}
