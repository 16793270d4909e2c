//! The callers of a run: they come steadily, listen, and hang up. On the route `callback` they are webhooks.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use precall_simulators::threecx::{self, CallReport, EndedBy, NewCall, State, WebhookMode};

use crate::site::{Route, caller};
use crate::support::proxy::Dice;
use crate::support::{CALLED, PostedWebhooks, ended, incoming, pause};

/// How long a caller stays: a few callers shortly, so that a short run has all phases of a call, many callers longer.
const FEW: u64 = 30;
const STAY_OF_FEW: (Duration, Duration) = (Duration::from_secs(8), Duration::from_secs(16));
const STAY_OF_MANY: (Duration, Duration) = (Duration::from_secs(20), Duration::from_secs(90));
/// Calls back are short, so that more of them would only be more of the same.
const CALLBACKS_AT_MOST: u64 = 20;
/// How long a call on the route `callback` is live, as a rule: greeting and conversation.
const CALLBACK: Duration = Duration::from_secs(2);
/// The end of a call is posted after so many others have begun.
const ENDS_AFTER_CALLS: usize = 20;
/// Most webhooks of the test that wait for an answer.
const OUTSTANDING: usize = 200;

/// Where the callers call.
pub struct Destination {
    pub route: Route,
    pub pbx: Rc<threecx::Simulator>,
    /// precall's address.
    pub url: String,
}

/// A call at the PBX that is over.
#[derive(Clone, Debug)]
pub struct Over {
    pub id: String,
    pub from: Timestamp,
    pub to: Timestamp,
    pub by: Option<EndedBy>,
    pub heard_ms: u64,
}

impl Over {
    pub fn went_well(&self) -> bool {
        self.by == Some(EndedBy::Caller) && self.heard_ms > 0
    }
}

/// A silence that a caller noticed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Noticed {
    pub call: String,
    pub from: Timestamp,
    pub length: Duration,
}

/// All callers of a run.
#[derive(Default)]
pub struct Callers {
    stop: Cell<bool>,
    placed: Cell<usize>,
    /// Calls at the PBX that were not seen to end.
    pub live: RefCell<BTreeMap<String, Timestamp>>,
    pub over: RefCell<Vec<Over>>,
    silences: RefCell<BTreeMap<(String, Timestamp), Duration>>,
    /// Webhooks of the test, on the route `callback`.
    pub webhooks: Rc<PostedWebhooks>,
}

impl Callers {
    /// How many there were.
    pub fn placed(&self) -> usize {
        self.placed.get()
    }

    /// No more come.
    pub fn stop(&self) {
        self.stop.set(true);
    }

    /// The silences of a second and more, which may have grown since the last time.
    pub fn silences(&self) -> Vec<Noticed> {
        let noticed = |((call, from), length): (&(String, Timestamp), &Duration)| Noticed {
            call: call.clone(),
            from: *from,
            length: *length,
        };
        self.silences.borrow().iter().map(noticed).collect()
    }

    /// Lets so many callers be on the line, until it is told to stop.
    pub async fn come(self: Rc<Self>, to: Destination, calls: u64, seed: u64) {
        let mut dice = Dice::new(seed ^ 0xca11);
        let stay = if calls <= FEW { STAY_OF_FEW } else { STAY_OF_MANY };
        let (lasts, calls) = match to.route {
            Route::Bridge => ((stay.0 + stay.1) / 2, calls),
            Route::Callback => (CALLBACK, calls.min(CALLBACKS_AT_MOST)),
        };
        let apart = lasts / u32::try_from(calls).unwrap();
        let begun = Instant::now();
        while !self.stop.get() {
            let due = begun.elapsed().as_millis() / apart.as_millis();
            while u128::try_from(self.placed.get()).unwrap() < due
                && self.webhooks.outstanding() < OUTSTANDING
            {
                let n = self.placed.get();
                self.placed.set(n + 1);
                match to.route {
                    Route::Bridge => self.ring(&to.pbx, n, dice.between(stay.0, stay.1)),
                    Route::Callback => self.announce(&to.url, n),
                }
            }
            pause().await;
        }
    }

    /// A caller rings. Every other call is announced by a webhook.
    pub fn ring(&self, pbx: &threecx::Simulator, n: usize, stays: Duration) {
        let webhook = if n.is_multiple_of(2) { WebhookMode::First } else { WebhookMode::None };
        let call = NewCall {
            called: CALLED.to_owned(),
            webhook,
            hangup_after_ms: Some(u64::try_from(stays.as_millis()).unwrap()),
            ..NewCall::from(&caller(n))
        };
        let id = pbx.place_call(call).unwrap().call_id;
        self.live.borrow_mut().insert(id, Timestamp::now());
    }

    /// Posts the webhooks of a call: its beginning twice, as a sender does that is not sure, and the end of an earlier
    /// one.
    fn announce(&self, url: &str, n: usize) {
        let id = format!("pbx-{n}");
        let mut bodies = vec![incoming(&id, &caller(n)), incoming(&id, &caller(n))];
        bodies.extend(n.checked_sub(ENDS_AFTER_CALLS).map(|earlier| ended(&format!("pbx-{earlier}"))));
        for body in bodies {
            self.webhooks.post(url, body.to_string());
        }
    }

    /// Every caller hangs up.
    pub fn hang_up(&self, pbx: &threecx::Simulator) {
        for id in self.live.borrow().keys() {
            // It may be over already.
            let _over = pbx.hang_up(id);
        }
    }

    /// Asks the PBX what its callers have heard.
    pub fn look(&self, pbx: &threecx::Simulator) {
        let ids: Vec<String> = self.live.borrow().keys().cloned().collect();
        for id in ids {
            let report = pbx.call(&id).unwrap_or_else(|| panic!("the PBX does not know call {id}"));
            for silence in &report.silences {
                let from: Timestamp = silence.from.parse().unwrap();
                self.silences.borrow_mut().insert((id.clone(), from), Duration::from_millis(silence.ms));
            }
            if report.state == State::Ended {
                self.live.borrow_mut().remove(&id);
                self.over.borrow_mut().push(over(&report));
            }
        }
    }
}

fn over(report: &CallReport) -> Over {
    Over {
        id: report.call_id.clone(),
        from: report.placed_at.parse().unwrap(),
        to: report.ended_at.as_ref().map_or_else(Timestamp::now, |at| at.parse().unwrap()),
        by: report.ended_by,
        heard_ms: report.heard_ms,
    }
}
