//! The owner of a leg, who keeps all that it is told.

use std::sync::{Arc, Condvar, Mutex};

use actix::{Actor, Arbiter, Context, Handler, Recipient, System};

use super::pbx::DEADLINE;
use crate::leg_events::{LegAudioEvent, LegAudioStats, LegReport};

type Heard = Arc<(Mutex<Vec<LegReport>>, Condvar)>;

pub struct Owner {
    heard: Heard,
    pub reports: Recipient<LegReport>,
    arbiter: Arbiter,
    _system: actix::SystemRunner,
}

struct Ear(Heard);

impl Actor for Ear {
    type Context = Context<Self>;
}

impl Handler<LegReport> for Ear {
    type Result = ();

    fn handle(&mut self, report: LegReport, _: &mut Self::Context) {
        self.0.0.lock().unwrap().push(report);
        self.0.1.notify_all();
    }
}

impl Owner {
    pub fn new() -> Self {
        let system = System::new();
        let arbiter = Arbiter::new();
        let heard = Heard::default();
        let ear = Arc::clone(&heard);
        let address = Ear::start_in_arbiter(&arbiter.handle(), move |_| Ear(ear));
        Self { heard, reports: address.recipient(), arbiter, _system: system }
    }

    pub fn news(&self) -> Vec<LegAudioEvent> {
        self.heard.0.lock().unwrap().iter().map(|report| report.what.clone()).collect()
    }

    /// Waits until all that was told so far says something.
    pub fn wait<T>(&self, what: &str, mut look: impl FnMut(&[LegReport]) -> Option<T>) -> T {
        let mut found = None;
        let heard = self.heard.0.lock().unwrap();
        let (heard, _) = self
            .heard
            .1
            .wait_timeout_while(heard, DEADLINE, |heard| {
                found = look(heard);
                found.is_none()
            })
            .unwrap();
        let seen = format!("{heard:?}");
        drop(heard);
        found.unwrap_or_else(|| panic!("no {what} in time: {seen}"))
    }

    pub fn wait_for(&self, news: &LegAudioEvent) {
        self.wait(&format!("{news:?}"), |heard| {
            heard.iter().any(|report| report.what == *news).then_some(())
        });
    }

    pub fn closed(&self) -> LegAudioStats {
        let last = |heard: &[LegReport]| match heard.last().map(|report| &report.what) {
            Some(LegAudioEvent::Closed(stats)) => Some(*stats),
            _ => None,
        };
        self.wait("end", last)
    }

    pub fn count(&self, is: impl Fn(&LegAudioEvent) -> bool) -> usize {
        self.news().iter().filter(|news| is(news)).count()
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.arbiter.stop();
    }
}
