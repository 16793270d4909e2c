//! The log of webhooks that a simulator posted: `GET /sim/webhooks`.

use std::collections::VecDeque;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::requests::rfc3339;

/// Most attempts that are kept; the oldest go first.
const CAPACITY: usize = 10_000;

/// One attempt to deliver a webhook.
#[derive(Clone, Debug)]
pub(crate) struct Delivery {
    pub at: Timestamp,
    pub kind: &'static str,
    /// The call or conversation that the webhook is about.
    pub subject: String,
    /// Counts from 1.
    pub attempt: u32,
    /// None when the service did not answer in time.
    pub status: Option<u16>,
}

/// The last attempts, oldest first.
#[derive(Debug)]
pub(crate) struct Deliveries {
    entries: VecDeque<Delivery>,
    kind_field: &'static str,
    subject_field: &'static str,
}

impl Deliveries {
    /// A log whose JSON names the kind and the subject of a webhook as the provider's own webhooks do.
    pub(crate) fn with_fields(kind_field: &'static str, subject_field: &'static str) -> Self {
        Self { entries: VecDeque::new(), kind_field, subject_field }
    }

    pub fn push(&mut self, delivery: Delivery) {
        if self.entries.len() >= CAPACITY {
            self.entries.pop_front();
        }
        self.entries.push_back(delivery);
    }

    pub fn clear(&mut self) {
        self.entries.clear();
    }

    pub fn shown(&self) -> Vec<Value> {
        let shown = |delivery: &Delivery| {
            json!({
                "at": rfc3339(delivery.at),
                self.kind_field: delivery.kind,
                self.subject_field: delivery.subject,
                "attempt": delivery.attempt,
                "status": delivery.status,
            })
        };
        self.entries.iter().map(shown).collect()
    }
}
