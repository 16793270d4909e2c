//! Alerts for installations without Prometheus: rules that are looked at every minute, sent by mail or to a webhook.
//!
//! The rules are in `rules`, when messages go out in `book`. This file looks, sends and keeps.

mod book;
mod channels;
mod message;
mod rules;
mod samples;

use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::Pool;
use precall_actors::api::{AlertDelivery, EngineHandle, Health};
use precall_actors::durability::leadership::EngineRole;
use precall_actors::observe::metrics::Metrics;
use precall_base::clock;
use precall_call::At;
use precall_store::alerts::{self, AlertRow};
use slog::{Logger, info, warn};
use tokio::time::{MissedTickBehavior, interval};

use self::book::Book;
pub(crate) use self::channels::Channels;
pub(crate) use self::message::test;
use self::rules::{Seen, Trouble};
use self::samples::Samples;
use crate::config::{Alerts, QuietHours};
use crate::http::not_ready;

/// How often the rules are looked at.
const EVERY: Duration = Duration::from_secs(60);
/// So many looks wait for the kept alerts before anything is sent without them.
const LOOKS_WITHOUT_KEPT: u32 = 2;

/// Looks every minute, for as long as the runtime lives.
pub(crate) async fn run(mut watch: Watch, engine: EngineHandle) {
    let mut minutes = interval(EVERY);
    minutes.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        minutes.tick().await;
        let health = engine.health();
        // Writing into a text does not fail.
        let Ok(metrics) = engine.metrics().encode(&health) else { continue };
        watch.look(Look { health, metrics, now: clock::now(), wall: clock::wall() }).await;
    }
}

/// What one look is at.
pub struct Look {
    /// Health of the engine.
    pub health: Health,
    /// The page of metrics.
    pub metrics: String,
    /// Time of precall's clock.
    pub now: At,
    /// Time of the host's clock, for people.
    pub wall: At,
}

/// Looks at the rules, and sends what is due.
pub struct Watch {
    installation: String,
    quiet: Option<QuietHours>,
    remind_after: Duration,
    channels: Channels,
    pool: Pool,
    delivery: Arc<AlertDelivery>,
    metrics: Arc<Metrics>,
    log: Logger,
    samples: Samples,
    book: Book,
    /// Whether the alerts that a process before this one kept were read.
    is_restored: bool,
    looks: u32,
    /// What is in the database.
    kept: Vec<AlertRow>,
}

impl Watch {
    /// Nothing was looked at yet. Call it on the arbiter that will use it.
    ///
    /// # Errors
    /// Why the channels cannot be used, in words.
    pub fn new(
        config: &Alerts,
        installation: &str,
        pool: Pool,
        (metrics, delivery): (Arc<Metrics>, Arc<AlertDelivery>),
        log: Logger,
    ) -> Result<Self, String> {
        Ok(Self {
            installation: installation.to_owned(),
            quiet: config.quiet_hours.clone(),
            remind_after: config.remind_after,
            channels: Channels::new(config)?,
            pool,
            delivery,
            metrics,
            log,
            samples: Samples::default(),
            book: Book::default(),
            is_restored: false,
            looks: 0,
            kept: Vec::new(),
        })
    }

    /// One look. Never fails: what goes wrong is logged, counted and shown in health.
    pub async fn look(&mut self, look: Look) {
        let Look { health, metrics, now, wall } = look;
        self.samples.read(&metrics, now);
        match health.role {
            EngineRole::Acting(_) | EngineRole::Unknown if !health.draining => {}
            // The leader tells. What it kept is read anew by the process that follows it.
            _ => {
                (self.book, self.is_restored, self.looks) = (Book::default(), false, 0);
                return;
            }
        }
        self.restore(&health).await;
        self.looks = self.looks.saturating_add(1);
        let reason = not_ready(&health);
        let troubles: Vec<Trouble> = health
            .problems
            .iter()
            .map(|problem| Trouble {
                area: problem.area,
                words: problem.words.clone(),
                remedy: problem.remedy,
            })
            .collect();
        let seen = Seen { samples: &self.samples, not_ready: reason.as_deref(), troubles: &troubles };
        self.book.look(|rule| (rule.fires)(&seen), now);
        if self.is_restored || self.looks > LOOKS_WITHOUT_KEPT {
            self.tell(now, wall).await;
        }
        self.keep(&health).await;
    }

    async fn tell(&mut self, now: At, wall: At) {
        let here = jiff::Timestamp::from_microsecond(wall.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        let is_quiet = self.quiet.as_ref().is_some_and(|quiet| quiet.hold(here));
        let due = self.book.due(self.remind_after, is_quiet, now);
        let Some(message) = message::of(&due, &self.installation, wall) else { return };
        let sent = self.channels.send(&message).await;
        let mut is_told = false;
        for sent in sent {
            match sent.outcome {
                Ok(()) => {
                    is_told = true;
                    self.metrics.alert_sent(sent.channel, "sent");
                    self.delivery.succeeded(sent.channel);
                    info!(self.log, "alerts sent"; "channel" => sent.channel, "alerts" => due.len(),
                        "subject" => &message.subject);
                }
                Err(words) => {
                    self.metrics.alert_sent(sent.channel, "failed");
                    self.delivery.failed(sent.channel, &words, now);
                    warn!(self.log, "alerts could not be sent"; "channel" => sent.channel, "alerts" => due.len(),
                        "error" => words);
                }
            }
        }
        if is_told {
            self.book.told(&due, now);
        }
    }

    /// Reads what was kept, once, when this process is the leader.
    async fn restore(&mut self, health: &Health) {
        if self.is_restored || !is_leader(health) {
            return;
        }
        match alerts::all(&self.pool).await {
            Ok(rows) => {
                self.kept.clone_from(&rows);
                self.book.restore(rows);
                self.is_restored = true;
            }
            Err(error) => warn!(self.log, "open alerts could not be read"; "error" => %error),
        }
    }

    /// While the database is away the alerts are in memory alone.
    async fn keep(&mut self, health: &Health) {
        let rows = self.book.rows();
        if !self.is_restored || !is_leader(health) || rows == self.kept {
            return;
        }
        match alerts::replace(&self.pool, &rows).await {
            Ok(()) => self.kept = rows,
            Err(error) => warn!(self.log, "open alerts could not be kept"; "error" => %error),
        }
    }
}

fn is_leader(health: &Health) -> bool {
    matches!(health.role, EngineRole::Acting(_)) && health.acts && health.database == Some(true)
}
