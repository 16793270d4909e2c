//! Webhooks of 3CX that a test posts, and which of them were acknowledged.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use precall::signature::{Kind, sign};
use precall_base::clock;
use serde_json::Value;

use crate::world::{SECRET, http_client};

/// Acknowledged webhooks: the body, and the call id of the answer.
pub type Acknowledged = BTreeMap<String, Option<String>>;

/// All webhooks of a test.
#[derive(Default)]
pub struct PostedWebhooks {
    posted: Cell<usize>,
    outstanding: Cell<usize>,
    acknowledged: RefCell<Acknowledged>,
}

impl PostedWebhooks {
    /// Posts a body to `/webhook/3cx` of the service at `url`, and does not wait for the answer.
    pub fn post(self: &Rc<Self>, url: &str, body: String) {
        self.posted.set(self.posted.get() + 1);
        self.outstanding.set(self.outstanding.get() + 1);
        let (webhooks, address) = (Rc::clone(self), format!("{url}/webhook/3cx"));
        actix::spawn(async move {
            let (name, value) = sign(Kind::ThreeCx, SECRET.as_bytes(), body.as_bytes(), clock::now());
            let request = http_client().post(address).insert_header((name, value));
            if let Ok(mut answer) = request.send_body(body.clone()).await
                && answer.status().is_success()
            {
                let said: Value = answer.json().await.unwrap_or_default();
                let call = said["call_id"].as_str().map(ToOwned::to_owned);
                webhooks.acknowledged.borrow_mut().insert(body, call);
            }
            webhooks.outstanding.set(webhooks.outstanding.get() - 1);
        });
    }

    /// How many were posted.
    pub fn posted(&self) -> usize {
        self.posted.get()
    }

    /// How many wait for an answer.
    pub fn outstanding(&self) -> usize {
        self.outstanding.get()
    }

    /// Those that were acknowledged until now.
    pub fn acknowledged(&self) -> Acknowledged {
        self.acknowledged.borrow().clone()
    }
}
