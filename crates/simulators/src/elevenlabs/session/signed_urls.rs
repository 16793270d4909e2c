//! The signatures of URLs that open a conversation. The table is bounded.
//!
//! A signature is valid for 15 minutes, and once only if a conversation id was requested (facts page, section 4).

use std::collections::{HashMap, VecDeque};
use std::time::Instant;

use crate::elevenlabs::ids;

/// Most signatures that are remembered; the oldest go first.
const CAPACITY: usize = 10_000;

/// How often a signature opens a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::elevenlabs) enum Uses {
    Many,
    Once,
}

#[derive(Debug)]
struct Signed {
    agent_id: String,
    until: Instant,
    uses: Uses,
}

/// The signatures.
#[derive(Debug, Default)]
pub(in crate::elevenlabs) struct SignedUrls {
    by_signature: HashMap<String, Signed>,
    order: VecDeque<String>,
}

impl SignedUrls {
    /// A new signature for conversations with this agent.
    pub fn sign(&mut self, agent_id: &str, uses: Uses, until: Instant) -> String {
        if self.order.len() >= CAPACITY
            && let Some(oldest) = self.order.pop_front()
        {
            self.by_signature.remove(&oldest);
        }
        let signature = ids::signature();
        self.order.push_back(signature.clone());
        self.by_signature.insert(signature.clone(), Signed { agent_id: agent_id.to_owned(), until, uses });
        signature
    }

    /// Whether a signature opens a conversation with this agent now; uses it.
    pub(super) fn opens(&mut self, signature: &str, agent_id: &str, now: Instant) -> bool {
        let Some(signed) = self.by_signature.get(signature) else { return false };
        let good = signed.agent_id == agent_id && now < signed.until;
        if good && signed.uses == Uses::Once {
            self.by_signature.remove(signature);
        }
        good
    }
}
