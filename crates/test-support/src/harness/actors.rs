//! Benches that run actors of precall in their own process.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::{Actor, Addr, Arbiter, Context, Handler, Recipient};
use precall_actors::durability::leadership::EngineRole;
use precall_actors::durability::persistence::{Append, Durable, PersistenceActor, PersistenceState};
use precall_actors::runtime::restart_in_place::reserve;
use precall_store::events::rows::Entry;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{sleep_until, timeout};

use super::numbers::millis;
use super::{Mode, Outcome};

const ACKNOWLEDGED_WITHIN: Duration = Duration::from_secs(60);

/// Runs the bench in an actix system. It gets a thread of its own, so that a signal ends the bench at once.
pub async fn in_system<F>(mode: Mode, measure: impl FnOnce(Mode) -> F + Send + 'static) -> Outcome<()>
where
    F: Future<Output = Outcome<()>>,
{
    let (done, ended) = oneshot::channel();
    std::thread::spawn(move || {
        let measured = actix::System::new().block_on(measure(mode));
        // Without a receiver the bench has ended.
        let _ = done.send(measured.map_err(|error| error.to_string()));
    });
    Ok(ended.await??)
}

/// A running persistence actor, which writes as the leader.
pub struct Writer {
    pub actor: Addr<PersistenceActor>,
    pub state: Arc<PersistenceState>,
}

impl Writer {
    /// Starts the actor on an arbiter of its own. `spool_max`: most bytes in its spool; none without one.
    pub fn start(
        generation: u64,
        spool_max: Option<u64>,
        make: impl FnOnce(Arc<PersistenceState>) -> PersistenceActor + Send + 'static,
    ) -> Self {
        let state = Arc::new(PersistenceState::new(spool_max, Duration::ZERO));
        state.leadership().set(EngineRole::Acting(generation));
        let (actor, reserved) = reserve();
        let of_actor = Arc::clone(&state);
        reserved.start(&Arbiter::new().handle(), move |_| make(of_actor));
        Self { actor, state }
    }

    /// Appends each event by itself, at so many a second or all at once. Returns how long each took until it was
    /// acknowledged, in milliseconds.
    ///
    /// # Errors
    /// When an event is acknowledged twice or not at all.
    pub async fn append(&self, entries: Vec<Entry>, rate: Option<u32>) -> Outcome<Vec<f64>> {
        let (told, mut acknowledged) = mpsc::unbounded_channel();
        let reply: Recipient<Durable> = Acknowledged(told).start().recipient();
        let (mut sent, begun) = (HashMap::new(), tokio::time::Instant::now());
        for (n, entry) in entries.into_iter().enumerate() {
            if let Some(rate) = rate {
                sleep_until(begun + Duration::from_secs_f64(n as f64 / f64::from(rate))).await;
            }
            sent.insert((entry.owner, entry.seq), Instant::now());
            self.actor.do_send(Append { entries: vec![entry], webhooks: Vec::new(), reply: reply.clone() });
        }
        let mut took = Vec::with_capacity(sent.len());
        while !sent.is_empty() {
            let next = timeout(ACKNOWLEDGED_WITHIN, acknowledged.recv()).await;
            let Ok(Some((Durable { owner, seq }, at))) = next else {
                return Err(format!("{} events are not acknowledged", sent.len()).into());
            };
            let begun = sent.remove(&(owner, seq)).ok_or("an event is acknowledged twice")?;
            took.push(millis(at.duration_since(begun)));
        }
        Ok(took)
    }
}

/// Passes acknowledgements on, each with its time.
struct Acknowledged(mpsc::UnboundedSender<(Durable, Instant)>);

impl Actor for Acknowledged {
    type Context = Context<Self>;
}

impl Handler<Durable> for Acknowledged {
    type Result = ();

    fn handle(&mut self, durable: Durable, _: &mut Context<Self>) {
        // Without a receiver the bench has failed.
        let _ = self.0.send((durable, Instant::now()));
    }
}
