//! A leg's owner, which records all reports.

use std::sync::{Arc, Condvar, Mutex};

use actix::{Actor, Arbiter, Context, Handler, Recipient, System};

use super::pbx::DEADLINE;
use crate::leg_events::{LegAudioEvent, LegAudioStats, LegReport};

type Reports = Arc<(Mutex<Vec<LegReport>>, Condvar)>;

pub struct Owner {
    received: Reports,
    pub reports: Recipient<LegReport>,
    arbiter: Arbiter,
    _system: actix::SystemRunner,
}

struct Receiver(Reports);

impl Actor for Receiver {
    type Context = Context<Self>;
}

impl Handler<LegReport> for Receiver {
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
        let received = Reports::default();
        let shared = Arc::clone(&received);
        let address = Receiver::start_in_arbiter(&arbiter.handle(), move |_| Receiver(shared));
        Self { received, reports: address.recipient(), arbiter, _system: system }
    }

    pub fn events(&self) -> Vec<LegAudioEvent> {
        self.received.0.lock().unwrap().iter().map(|report| report.what.clone()).collect()
    }

    /// Waits until `look` finds something in the reports so far.
    pub fn wait<T>(&self, what: &str, mut look: impl FnMut(&[LegReport]) -> Option<T>) -> T {
        let mut found = None;
        let received = self.received.0.lock().unwrap();
        let (received, _) = self
            .received
            .1
            .wait_timeout_while(received, DEADLINE, |received| {
                found = look(received);
                found.is_none()
            })
            .unwrap();
        let seen = format!("{received:?}");
        drop(received);
        found.unwrap_or_else(|| panic!("no {what} in time: {seen}"))
    }

    pub fn wait_for(&self, event: &LegAudioEvent) {
        self.wait(&format!("{event:?}"), |received| {
            received.iter().any(|report| report.what == *event).then_some(())
        });
    }

    pub fn closed(&self) -> LegAudioStats {
        let last = |received: &[LegReport]| match received.last().map(|report| &report.what) {
            Some(LegAudioEvent::Closed(stats)) => Some(*stats),
            _ => None,
        };
        self.wait("end", last)
    }

    pub fn count(&self, is: impl Fn(&LegAudioEvent) -> bool) -> usize {
        self.events().iter().filter(|event| is(event)).count()
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.arbiter.stop();
    }
}
