//! Alerts by mail and webhook: rules looked at with a clock of the test's own, a real mail server and a real HTTP
//! receiver on loopback, and a real database.

mod receiver;

use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::Pool;
use precall::alerts::{Look, Watch};
use precall::config::Config;
use precall_actors::api::{AlertDelivery, CapacityHealth, Health, SpoolHealth};
use precall_actors::durability::leadership::EngineRole;
use precall_actors::observe::metrics::Metrics;
use precall_call::At;
use precall_providers::test_peers::smtp_stub::{Security, SmtpStub};
use precall_store::connect::{self, Limits};
use slog::{Discard, Logger, o};

use self::receiver::Receiver;
use crate::support::{connect_to, database};

const SECRET: &str = "secret-of-the-receiver";
/// 2026-11-29T12:00:00Z.
const NOON: i64 = 1_795_953_600_000_000;
const MINUTE: i64 = 60_000_000;

/// A process of precall, as far as alerts see it, and its clock.
struct Process {
    watch: Watch,
    metrics: Arc<Metrics>,
    delivery: Arc<AlertDelivery>,
    role: EngineRole,
    has_database: bool,
    minute: i64,
}

/// What the process can reach.
#[derive(Clone, Copy, Default)]
struct World {
    pbx_away: bool,
    panics: u32,
}

const WELL: World = World { pbx_away: false, panics: 0 };
const PBX_AWAY: World = World { pbx_away: true, panics: 0 };

fn pool(url: &str) -> Pool {
    let limits = Limits { size: 2, ..Limits::default() };
    connect::pool(&url.parse().unwrap(), "precall alerts test", limits).unwrap()
}

impl Process {
    fn start(database: &str, minute: i64, variables: &[(&str, String)]) -> Self {
        let set = variables.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        let (alerts, _) = Config::alerts_from_map(&set).unwrap();
        let (metrics, delivery) = (Arc::new(Metrics::new()), Arc::new(AlertDelivery::default()));
        let shared = (Arc::clone(&metrics), Arc::clone(&delivery));
        let log = Logger::root(Discard, o!());
        let watch = Watch::new(&alerts, "shop", pool(database), shared, log).unwrap();
        Self { watch, metrics, delivery, role: EngineRole::Acting(1), has_database: true, minute }
    }

    /// A look each minute, up to this one.
    async fn until(&mut self, minute: i64, world: World) {
        for minute in self.minute + 1..=minute {
            self.minute = minute;
            let now = At(NOON + minute * MINUTE);
            let metrics = format!(
                "precall_reachable_services{{service=\"threecx\"}} {}\n\
                 precall_reachable_services{{service=\"database\"}} {}\n\
                 precall_panicked_jobs_total{{job=\"call\"}} {}\n",
                u8::from(!world.pbx_away),
                u8::from(self.has_database),
                world.panics
            );
            let health = self.health();
            self.watch.look(Look { health, metrics, now, wall: now }).await;
        }
    }

    fn health(&self) -> Health {
        Health {
            database: Some(self.has_database),
            database_reached: true,
            database_obstacle: None,
            elevenlabs: Some(true),
            spool: SpoolHealth::Empty,
            spooled_bytes: 0,
            spool_free_bytes: None,
            spool_max_bytes: None,
            can_keep: true,
            queued_events: 0,
            live_calls: 0,
            draining: false,
            role: self.role,
            acts: true,
            threecx: None,
            prompt_problems: Vec::new(),
            problems: Vec::new(),
            bypasses: 0,
            budgets: Vec::new(),
            capacity: CapacityHealth::default(),
            heartbeat_age: Duration::ZERO,
            mailboxes: Vec::new(),
            restarts: Vec::new(),
        }
    }

    fn counted(&self, line: &str) -> bool {
        self.metrics.encode(&self.health()).unwrap().lines().any(|found| found == line)
    }
}

fn mail(port: u16) -> Vec<(&'static str, String)> {
    vec![
        ("ALERT_MAIL_TO", "oncall@example.com".to_owned()),
        ("ALERT_MAIL_FROM", "precall@example.com".to_owned()),
        ("ALERT_SMTP_URL", format!("smtp://precall:pass@127.0.0.1:{port}")),
    ]
}

fn webhook(url: &str) -> Vec<(&'static str, String)> {
    vec![("ALERT_WEBHOOK_URL", url.to_owned()), ("ALERT_WEBHOOK_SECRET", SECRET.to_owned())]
}

fn stub() -> SmtpStub {
    SmtpStub::start(Security::Plain, Some(("precall", "pass")))
}

/// The subjects of all mails.
fn subjects(stub: &SmtpStub) -> Vec<String> {
    let subject =
        |data: &str| data.lines().find_map(|line| line.strip_prefix("Subject: ")).unwrap().to_owned();
    stub.mails().iter().map(|mail| subject(&mail.data)).collect()
}

#[actix::test]
async fn an_alert_goes_out_once_reminds_and_ends() {
    let (database, smtp, receiver) = (database(), stub(), Receiver::start());
    let variables = [mail(smtp.port), webhook(&receiver.url())].concat();
    let mut process = Process::start(database.url(), 0, &variables);
    process.until(2, PBX_AWAY).await;
    assert!(subjects(&smtp).is_empty(), "not for two minutes yet");
    process.until(362, PBX_AWAY).await;
    assert_eq!(subjects(&smtp), ["[shop] 3CX cannot be reached"]);
    process.until(400, PBX_AWAY).await;
    process.until(420, WELL).await;
    assert_eq!(
        subjects(&smtp),
        [
            "[shop] 3CX cannot be reached",
            "[shop] Still: 3CX cannot be reached",
            "[shop] Over: 3CX cannot be reached"
        ]
    );
    let posts = receiver.posts();
    assert_eq!(posts.iter().map(|post| post.status(0)).collect::<Vec<_>>(), ["open", "reminder", "resolved"]);
    assert!(posts.iter().all(|post| post.is_signed(SECRET) && !post.is_signed("another")), "{posts:?}");
    assert_eq!(posts[0].json["alerts"][0]["name"], "PrecallPbxAway");
    assert!(process.counted("precall_sent_alerts_total{channel=\"mail\",outcome=\"sent\"} 3"));
    let rows = connect_to(database.url()).await.query("select rule from alerts", &[]).await.unwrap();
    assert!(rows.is_empty(), "nothing is open");
}

#[actix::test]
async fn in_quiet_hours_only_pages_go_out() {
    let (database, smtp) = (database(), stub());
    let variables = [mail(smtp.port), vec![("ALERT_QUIET_HOURS", "11:00-14:00".to_owned())]].concat();
    let mut process = Process::start(database.url(), 0, &variables);
    process.until(1, WELL).await;
    process.until(60, World { panics: 1, ..PBX_AWAY }).await;
    assert_eq!(subjects(&smtp), ["[shop] 3CX cannot be reached"]);
    process.until(119, PBX_AWAY).await;
    assert_eq!(subjects(&smtp).len(), 1, "{:?}", subjects(&smtp));
    process.until(120, PBX_AWAY).await;
    assert_eq!(subjects(&smtp)[1..], ["[shop] Over: A part of precall panicked"], "at two o'clock");
}

#[actix::test]
async fn after_a_restart_an_open_alert_stays_one() {
    let (database, smtp) = (database(), stub());
    let variables = mail(smtp.port);
    let mut process = Process::start(database.url(), 0, &variables);
    process.until(5, PBX_AWAY).await;
    assert_eq!(subjects(&smtp).len(), 1);
    let rows = connect_to(database.url()).await.query("select rule from alerts", &[]).await.unwrap();
    assert_eq!(rows.iter().map(|row| row.get::<_, String>(0)).collect::<Vec<_>>(), ["PrecallPbxAway"]);
    drop(process);
    let mut process = Process::start(database.url(), 5, &variables);
    process.until(30, PBX_AWAY).await;
    assert_eq!(subjects(&smtp).len(), 1, "the alert was told before: {:?}", subjects(&smtp));
    process.until(40, WELL).await;
    assert_eq!(subjects(&smtp)[1..], ["[shop] Over: 3CX cannot be reached"]);
}

#[actix::test]
async fn a_standby_is_silent_until_it_leads() {
    let (database, smtp) = (database(), stub());
    let mut leader = Process::start(database.url(), 0, &mail(smtp.port));
    let mut standby = Process::start(database.url(), 0, &mail(smtp.port));
    standby.role = EngineRole::Standby;
    for minute in 1..=10 {
        leader.until(minute, PBX_AWAY).await;
        standby.until(minute, PBX_AWAY).await;
    }
    assert_eq!(subjects(&smtp).len(), 1);
    leader.role = EngineRole::Superseded;
    standby.role = EngineRole::Acting(2);
    for minute in 11..=30 {
        leader.until(minute, PBX_AWAY).await;
        standby.until(minute, PBX_AWAY).await;
    }
    assert_eq!(subjects(&smtp).len(), 1, "the new leader knows of the alert");
}

#[actix::test]
async fn without_the_database_alerts_go_out_all_the_same() {
    let smtp = stub();
    // Nobody listens there.
    let mut process = Process::start("postgresql://nobody@127.0.0.1:9/none", 0, &mail(smtp.port));
    process.has_database = false;
    process.until(10, WELL).await;
    assert_eq!(subjects(&smtp), ["[shop] PostgreSQL cannot be reached"]);
}

#[actix::test]
async fn a_dead_mail_server_is_counted_and_shown_and_stops_nothing() {
    let (database, smtp, receiver) = (database(), stub(), Receiver::start());
    smtp.refuse();
    let mut process = Process::start(database.url(), 0, &mail(smtp.port));
    process.until(4, PBX_AWAY).await;
    assert!(process.counted("precall_sent_alerts_total{channel=\"mail\",outcome=\"failed\"} 2"));
    let problems = process.delivery.problems();
    assert_eq!(problems.len(), 1);
    assert!(
        problems[0].1.contains("alerts by mail do not go out") && problems[0].1.contains("not now"),
        "{problems:?}"
    );
    assert!(!problems[0].1.contains("pass@"), "{problems:?}");
    smtp.take_again();
    process.until(8, PBX_AWAY).await;
    assert_eq!(subjects(&smtp), ["[shop] 3CX cannot be reached"], "it is sent once it can be");
    assert_eq!(process.delivery.problems(), []);

    // With another channel it counts as told.
    smtp.refuse();
    let other = crate::support::database();
    let variables = [mail(smtp.port), webhook(&receiver.url())].concat();
    let mut process = Process::start(other.url(), 0, &variables);
    process.until(10, PBX_AWAY).await;
    assert_eq!(receiver.posts().len(), 1);
    assert_eq!(subjects(&smtp).len(), 1);
    assert_eq!(process.delivery.problems().len(), 1);
}

#[actix::test]
async fn a_webhook_is_tried_again_and_its_redirects_are_not_followed() {
    let (database, receiver, elsewhere) = (database(), Receiver::start(), Receiver::start());
    let mut process = Process::start(database.url(), 0, &webhook(&receiver.url()));
    receiver.answer_next(503);
    process.until(4, PBX_AWAY).await;
    assert_eq!(receiver.posts().len(), 2, "the second try was taken");
    assert_eq!(process.delivery.problems(), []);
    drop(process);

    let other = crate::support::database();
    let mut process = Process::start(other.url(), 0, &webhook(&receiver.url()));
    receiver.redirect_to(&elsewhere.url());
    process.until(3, PBX_AWAY).await;
    assert_eq!(elsewhere.posts().len(), 0);
    let problems = process.delivery.problems();
    assert!(problems[0].1.contains("redirects are not followed"), "{problems:?}");
}
