//! One run on one route: rounds of faults under a steady load, and after each round the laws.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::task::JoinHandle;

use crate::book::{Book, Law, Violation, named};
use crate::callers::{Callers, Destination};
use crate::plan::{Happening, Pace, Plan};
use crate::service::Usage;
use crate::settings::Settings;
use crate::site::{Route, Site};
use crate::support::proxy::Affliction;
use crate::support::starvation::Starvation;
use crate::support::{connect_to, lasting, pause, until};
use crate::table::{Fault, ProcessFault};
use crate::witness::Witness;

/// How long precall may take until it is well again after the last fault of a round has ended.
const RECOVERS_WITHIN: Duration = Duration::from_secs(30);
/// Lets calls begin, and pass each of their phases, before the first fault.
const WARM: Duration = Duration::from_secs(6);

/// What happens to a fault; it begins before it ends, also in the same moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Moment {
    Begin,
    End,
}

/// A run.
pub struct Attack {
    pub settings: Settings,
    pub site: Site,
    pub book: Book,
    pub callers: Rc<Callers>,
    pub witness: Rc<Witness>,
    /// What each process used after its first round.
    pub usages: BTreeMap<u32, Usage>,
    /// Calls that did not end by their caller.
    pub failed: BTreeSet<String>,
    pub starvation: Starvation,
    pub begun: Instant,
    /// Not for breaches that the test has planted.
    pub prints_broken_laws: bool,
    tasks: Vec<JoinHandle<()>>,
}

impl Attack {
    /// Starts the site and the callers.
    pub async fn prepare(route: Route, settings: Settings) -> Self {
        let begun = Instant::now();
        let site = Site::start(route, settings.seed).await;
        let (callers, witness) = (Rc::new(Callers::default()), Rc::new(Witness::default()));
        let to = Destination { route, pbx: Rc::clone(&site.pbx), url: site.url.clone() };
        let coming = actix::spawn(Rc::clone(&callers).come(to, settings.calls, settings.seed));
        let (pbx, provider) = (Rc::clone(&site.pbx), Rc::clone(&site.provider));
        let watching = actix::spawn(Rc::clone(&witness).watch(Rc::clone(&callers), pbx, provider));
        lasting(WARM).await;
        Self {
            settings,
            site,
            book: Book::default(),
            callers,
            witness,
            usages: BTreeMap::new(),
            failed: BTreeSet::new(),
            starvation: Starvation::watch(),
            begun,
            prints_broken_laws: true,
            tasks: vec![coming, watching],
        }
    }

    /// Runs rounds for this long, then lets everything end.
    pub async fn run(&mut self, faults: Vec<Fault>, lasts: Duration) {
        let pace = if self.settings.is_long { Pace::LONG } else { Pace::SHORT };
        let mut plan = Plan::new(self.settings.seed, faults, pace);
        let begun = Instant::now();
        self.judge().await;
        while begun.elapsed() < lasts {
            self.round(&plan.round()).await;
        }
        self.wind_down().await;
    }

    /// One round: its faults, until precall is well again, and then the laws.
    pub async fn round(&mut self, round: &[Happening]) {
        self.book.round += 1;
        let names: Vec<String> = round.iter().map(describe).collect();
        let (seconds, route) = (self.begun.elapsed().as_secs(), self.site.route.name());
        println!("{seconds:>5} s, route {route}, round {}: {}", self.book.round, names.join("; "));
        self.strike(round).await;
        let healed = Instant::now();
        self.recover().await;
        let faults: Vec<String> = round.iter().map(|it| it.fault.to_string()).collect();
        self.book.recovered(&named(&faults), healed.elapsed());
        self.judge().await;
    }

    /// Lets the faults of a round happen, each at its time.
    async fn strike(&mut self, round: &[Happening]) {
        let begun = Instant::now();
        let mut due: Vec<(Duration, usize, Moment)> = Vec::new();
        for (number, happening) in round.iter().enumerate() {
            due.push((happening.after, number, Moment::Begin));
            due.push((happening.after + happening.lasts, number, Moment::End));
        }
        due.sort();
        let mut windows = BTreeMap::new();
        for (at, number, moment) in due {
            lasting(at.saturating_sub(begun.elapsed())).await;
            let happening = &round[number];
            if moment == Moment::Begin {
                windows.insert(number, self.book.began(happening.fault, Timestamp::now()));
                self.begin(happening).await;
            } else {
                self.end(happening.fault).await;
                self.book.ended(windows[&number], Timestamp::now());
            }
        }
    }

    async fn begin(&mut self, happening: &Happening) {
        match happening.fault {
            Fault::Net(peer, trouble, _) => {
                let affliction = Affliction { trouble, percent: happening.percent };
                self.site.proxy(peer).afflict(peer.name(), affliction);
            }
            Fault::Database(fault) => self.site.postgres.begin(fault).await,
            Fault::Precall(fault) => self.site.service.begin(fault).await,
        }
    }

    async fn end(&mut self, fault: Fault) {
        match fault {
            Fault::Net(peer, ..) => self.site.proxy(peer).heal(peer.name()),
            Fault::Database(fault) => self.site.postgres.end(fault).await,
            Fault::Precall(fault) => self.site.service.end(fault).await,
        }
    }

    /// Waits until precall is well again. A process that has ended is started again, as its manager would do.
    pub async fn recover(&mut self) {
        let begun = Instant::now();
        self.book.checked(Law::StaysUp, 1);
        self.book.checked(Law::Recovers, 1);
        loop {
            if self.site.service.has_ended() {
                let detail = format!("precall has ended by itself:\n{}", self.site.service.log_tail(8));
                self.blame(Law::StaysUp, detail);
                self.site.service.revive().await;
            }
            let Some(ailment) = self.site.ailment().await else { return };
            if begun.elapsed() > RECOVERS_WITHIN {
                let log = self.site.service.log_tail(8);
                let detail = format!("not well {RECOVERS_WITHIN:?} after the last fault: {ailment}\n{log}");
                self.blame(Law::Recovers, detail);
                // A new process, so that the next round begins with a precall that is well.
                self.site.service.begin(ProcessFault::Killed).await;
                self.site.service.end(ProcessFault::Killed).await;
                until("a new process is well", || self.site.is_well()).await;
                return;
            }
            pause().await;
        }
    }

    fn blame(&mut self, law: Law, detail: String) {
        let faults = self.book.recent(Timestamp::now());
        let violation = Violation { law, round: self.book.round, faults, detail };
        self.print(&violation, &[]);
        self.book.broken(&format!("round {}", self.book.round), violation);
    }

    /// No more callers. Those on the line hang up, and nothing is left of them.
    pub async fn wind_down(&mut self) {
        self.callers.stop();
        if self.site.route == Route::Bridge {
            self.callers.hang_up(&self.site.pbx);
        }
        until("the last webhooks are answered", || async { self.callers.webhooks.outstanding() == 0 }).await;
        let client = connect_to(&self.site.postgres.url()).await;
        let live = "select count(*) from call_log where state <> 'released'";
        let begun = Instant::now();
        while client.query_one(live, &[]).await.unwrap().get::<_, i64>(0) > 0 || self.site.pbx.legs() > 0 {
            if begun.elapsed() > RECOVERS_WITHIN {
                let left = "select string_agg(distinct format('%s %s: %s', c.id, c.state, (
                        select string_agg(e.event ->> 'kind', ' ' order by e.seq) from call_events e
                        where e.call = c.id)), '; ') from call_log c where c.state <> 'released'";
                let left: Option<String> = client.query_one(left, &[]).await.unwrap().get(0);
                let detail = format!(
                    "{} legs and these calls are left {RECOVERS_WITHIN:?} after everybody has hung up: {}",
                    self.site.pbx.legs(),
                    left.unwrap_or_default()
                );
                self.blame(Law::LeavesNobody, detail);
                break;
            }
            pause().await;
        }
        self.recover().await;
        self.judge().await;
    }

    /// Ends everything.
    pub async fn stop(self) -> Book {
        for task in self.tasks {
            task.abort();
            // What it shares with others is free only then.
            let _aborted = task.await;
        }
        self.site.stop().await;
        self.book
    }
}

fn describe(happening: &Happening) -> String {
    let Happening { fault, after, lasts, percent } = happening;
    match fault {
        Fault::Net(..) => format!("{fault}, {percent} % of connections, after {after:?} for {lasts:?}"),
        Fault::Database(_) | Fault::Precall(_) => format!("{fault}, after {after:?} for {lasts:?}"),
    }
}
