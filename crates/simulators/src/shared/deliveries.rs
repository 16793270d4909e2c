//! What became of the webhooks we posted: `GET /sim/webhooks`.

use std::collections::VecDeque;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::shared::requests::rfc3339;

/// Most tries that are kept; the oldest go first.
const CAPACITY: usize = 10_000;

/// One try to deliver one webhook.
#[derive(Clone, Debug)]
pub(super) struct Delivery {
    pub at: Timestamp,
    pub kind: &'static str,
    pub conversation_id: String,
    /// Counts from 1.
    pub attempt: usize,
    /// None when nothing answered in time.
    pub status: Option<u16>,
}

/// The last tries, oldest first.
#[derive(Debug, Default)]
pub(super) struct Deliveries(VecDeque<Delivery>);

impl Deliveries {
    pub fn push(&mut self, delivery: Delivery) {
        if self.0.len() >= CAPACITY {
            self.0.pop_front();
        }
        self.0.push_back(delivery);
    }

    pub fn clear(&mut self) {
        self.0.clear();
    }

    pub fn shown(&self) -> Vec<Value> {
        let shown = |delivery: &Delivery| {
            json!({
                "at": rfc3339(delivery.at),
                "type": delivery.kind,
                "conversation_id": delivery.conversation_id,
                "attempt": delivery.attempt,
                "status": delivery.status,
            })
        };
        self.0.iter().map(shown).collect()
    }
}
