//! Calls that are being transferred to an agent's trunk. While the trunk rings, ElevenLabs asks which voice the agent
//! uses; precall answers from memory. One transfer answers one request.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use precall_base::phone_number::CallerNumber;
use precall_call::{At, CallId, VoiceId};

/// How long a transfer may take to reach the agent.
const EXPECTED_FOR: Duration = Duration::from_secs(60);
/// Transfers and answers that are kept. Beyond it the oldest are dropped, and their calls use the fallback voice.
const REMEMBERED_MAX: usize = 10_000;
/// Digits that the end of a DN needs to identify it.
const CALLED_MIN: usize = 3;

/// A call that is being transferred to its agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpectedTransfer {
    /// precall's id.
    pub call: CallId,
    /// The attempt at the handoff that makes the transfer.
    pub attempt: u8,
    /// The agent.
    pub agent_id: String,
    /// The DN of the transfer.
    pub destination: String,
    /// The caller's number.
    pub caller: CallerNumber,
    /// The voice for the agent. `None`: the agent's own voice.
    pub voice: Option<VoiceId>,
    /// Whether the caller was in a conversation with an agent before.
    pub continues: bool,
    /// What was said in it, one utterance a line.
    pub earlier: Option<String>,
    /// When the transfer started.
    pub since: At,
}

/// A request of ElevenLabs for the voice of an inbound conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentRequest {
    /// The agent that was reached.
    pub agent_id: String,
    /// The number that was dialled to reach it.
    pub called: String,
    /// The caller's number, as the trunk shows it.
    pub caller: CallerNumber,
    /// ElevenLabs' id of the call. A repeated id gets the same answer.
    pub call_sid: Option<String>,
}

/// The transfers that wait for a request, and the latest answers.
#[derive(Debug, Default)]
pub struct ExpectedTransfers {
    waiting: VecDeque<ExpectedTransfer>,
    answered: VecDeque<(String, ExpectedTransfer, At)>,
}

impl ExpectedTransfers {
    /// Adds a transfer; it replaces an older one of the same call.
    pub fn expect(&mut self, expected: ExpectedTransfer) {
        self.forget(expected.since);
        self.withdraw(expected.call);
        if self.waiting.len() >= REMEMBERED_MAX {
            self.waiting.pop_front();
        }
        self.waiting.push_back(expected);
    }

    /// Removes a transfer that failed.
    pub fn withdraw(&mut self, call: CallId) {
        self.waiting.retain(|expected| expected.call != call);
    }

    /// The only transfer that matches the request. `None` if none or several match: a wrong voice is worse than the
    /// fallback.
    ///
    /// A withheld number gets no voice. If only one transfer to that agent is expected, it is still matched: without
    /// precall's id its report would match no call.
    pub fn answer(&mut self, request: &AgentRequest, now: At) -> Option<ExpectedTransfer> {
        self.forget(now);
        if let Some(sid) = &request.call_sid
            && let Some((_, again, _)) = self.answered.iter().find(|(answered, ..)| answered == sid)
        {
            return Some(again.clone());
        }
        let is_known = matches!(request.caller, CallerNumber::Public(_) | CallerNumber::Internal(_));
        let mut matching = self
            .waiting
            .iter()
            .enumerate()
            .filter(|(_, e)| leads_to(e, request) && (e.caller == request.caller || !is_known));
        let (index, _) = matching.next()?;
        if matching.next().is_some() {
            return None;
        }
        let mut found = self.waiting.remove(index)?;
        found.voice = found.voice.filter(|_| is_known);
        if let Some(sid) = &request.call_sid {
            if self.answered.len() >= REMEMBERED_MAX {
                self.answered.pop_front();
            }
            self.answered.push_back((sid.clone(), found.clone(), now));
        }
        Some(found)
    }

    fn forget(&mut self, now: At) {
        self.waiting.retain(|expected| now.since(expected.since) <= EXPECTED_FOR);
        self.answered.retain(|(.., at)| now.since(*at) <= EXPECTED_FOR);
    }
}

/// The expected transfers, shared by calls and the API.
#[derive(Debug, Default)]
pub struct SharedTransfers(Mutex<ExpectedTransfers>);

impl SharedTransfers {
    /// Adds a transfer; see [`ExpectedTransfers::expect`].
    pub fn expect(&self, expected: ExpectedTransfer) {
        self.lock().expect(expected);
    }

    /// Removes a transfer that failed.
    pub fn withdraw(&self, call: CallId) {
        self.lock().withdraw(call);
    }

    /// The only transfer that matches the request; see [`ExpectedTransfers::answer`].
    #[must_use]
    pub fn answer(&self, request: &AgentRequest, now: At) -> Option<ExpectedTransfer> {
        self.lock().answer(request, now)
    }

    fn lock(&self) -> MutexGuard<'_, ExpectedTransfers> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Matches by the agent's id or by the dialled number: an outbound rule of the PBX may strip a prefix from the DN.
fn leads_to(expected: &ExpectedTransfer, request: &AgentRequest) -> bool {
    let called = request.called.trim();
    let is_number = called.len() >= CALLED_MIN && expected.destination.ends_with(called)
        || expected.destination == called;
    expected.agent_id == request.agent_id || is_number
}

#[cfg(test)]
mod tests;
