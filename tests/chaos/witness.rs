//! What the simulated peers have seen: dials, and webhooks of theirs that precall has acknowledged. The simulators
//! remember only the latest, so they are asked every second.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;

use precall_simulators::{elevenlabs, threecx};
use serde_json::Value;

use crate::callers::Callers;
use crate::support::{DIAL, lasting};

const EVERY: Duration = Duration::from_secs(1);

/// A dial: call, purpose and time.
type Dialled = (String, String, String);

/// What was seen so far.
#[derive(Default)]
pub struct Witness {
    dials: RefCell<BTreeSet<Dialled>>,
    /// Webhooks of the PBX: kind and call.
    calls: RefCell<BTreeSet<(String, String)>>,
    /// Reports of ElevenLabs: the conversation.
    reports: RefCell<BTreeSet<String>>,
}

impl Witness {
    /// Looks until it is aborted.
    pub async fn watch(
        self: Rc<Self>,
        callers: Rc<Callers>,
        pbx: Rc<threecx::Simulator>,
        provider: Rc<elevenlabs::Simulator>,
    ) {
        loop {
            self.look(&callers, &pbx, &provider);
            lasting(EVERY).await;
        }
    }

    pub fn look(&self, callers: &Callers, pbx: &threecx::Simulator, provider: &elevenlabs::Simulator) {
        callers.look(pbx);
        for request in provider.requests().iter().filter(|request| request["path"] == DIAL) {
            let data = &request["body"]["conversation_initiation_client_data"];
            // If the sender died during the request, the request has no body and dialled nothing.
            if let (Some(call), Some(purpose), Some(at)) = (
                text(&data["user_id"]),
                text(&data["dynamic_variables"]["precall_purpose"]),
                text(&request["at"]),
            ) {
                self.dials.borrow_mut().insert((call, purpose, at));
            }
        }
        for post in pbx.webhooks().iter().filter(|post| is_acknowledged(post)) {
            if let (Some(kind), Some(call)) = (text(&post["event_type"]), text(&post["call_id"])) {
                self.calls.borrow_mut().insert((kind, call));
            }
        }
        for post in provider.webhooks().iter().filter(|post| is_acknowledged(post)) {
            self.reports.borrow_mut().extend(text(&post["conversation_id"]));
        }
    }

    /// A dial that nobody made, twice.
    pub fn plant_second_dial(&self) {
        let dial = |at: &str| ("planted".to_owned(), "greeting".to_owned(), at.to_owned());
        self.dials.borrow_mut().extend([dial("once"), dial("again")]);
    }

    /// How often each call was dialled for each purpose.
    pub fn dials(&self) -> BTreeMap<(String, String), usize> {
        let mut dialled: BTreeMap<(String, String), usize> = BTreeMap::new();
        for (call, purpose, _) in self.dials.borrow().iter() {
            *dialled.entry((call.clone(), purpose.clone())).or_default() += 1;
        }
        dialled
    }

    /// Acknowledged webhooks of the PBX.
    pub fn calls(&self) -> BTreeSet<(String, String)> {
        self.calls.borrow().clone()
    }

    /// Acknowledged reports.
    pub fn reports(&self) -> BTreeSet<String> {
        self.reports.borrow().clone()
    }
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(ToOwned::to_owned)
}

fn is_acknowledged(post: &Value) -> bool {
    post["status"].as_u64().is_some_and(|status| (200..300).contains(&status))
}
