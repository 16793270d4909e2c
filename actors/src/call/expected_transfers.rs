//! Which voice an agent is to speak with when a transferred call reaches it: the agent's provider asks while its telephone
//! rings, and is answered from memory. Pure; one transfer answers one asker.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use precall_base::phone_number::CallerNumber;
use precall_call::{At, CallId, VoiceId};

/// How long a transfer may take to reach the agent.
const EXPECTED_FOR: Duration = Duration::from_secs(60);
/// Transfers and answers that are remembered; beyond it the oldest are forgotten, and their calls speak in the fallback voice.
const REMEMBERED_MAX: usize = 10_000;
/// The end of a DN that is still telling.
const CALLED_MIN: usize = 3;

/// A call that is being routed to its agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    /// Our id.
    pub call: CallId,
    /// The agent it is routed to.
    pub agent_id: String,
    /// The DN it is routed to.
    pub destination: String,
    /// Who rang.
    pub caller: CallerNumber,
    /// The voice to speak with; none leaves the agent's own.
    pub voice: Option<VoiceId>,
    /// When the routing began.
    pub since: At,
}

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asker {
    /// The agent that was reached.
    pub agent_id: String,
    /// The number that was dialled to reach it.
    pub called: String,
    /// Who rings it, as the trunk shows it.
    pub caller: CallerNumber,
    /// The asker's own id of the call; the same one is answered the same way.
    pub call_sid: Option<String>,
}

/// See the file.
#[derive(Debug, Default)]
pub struct ExpectedTransfers {
    waiting: VecDeque<Expected>,
    answered: VecDeque<(String, Expected, At)>,
}

impl ExpectedTransfers {
    /// A call is about to be routed; an older expectation of the same call is replaced.
    pub fn expect(&mut self, expected: Expected) {
        self.forget(expected.since);
        self.withdraw(expected.call);
        if self.waiting.len() >= REMEMBERED_MAX {
            self.waiting.pop_front();
        }
        self.waiting.push_back(expected);
    }

    /// The routing failed: nobody is to be answered for it.
    pub fn withdraw(&mut self, call: CallId) {
        self.waiting.retain(|expected| expected.call != call);
    }

    /// The one transfer that this asker can be. None when there is none, or several: a wrong voice is worse than the fallback.
    ///
    /// A withheld number earns no voice. Where only one transfer is on its way to that agent it still is that one, and without our
    /// id its report would find no call.
    pub fn answer(&mut self, asker: &Asker, now: At) -> Option<Expected> {
        self.forget(now);
        if let Some(sid) = &asker.call_sid
            && let Some((_, again, _)) = self.answered.iter().find(|(answered, ..)| answered == sid)
        {
            return Some(again.clone());
        }
        let is_known = matches!(asker.caller, CallerNumber::Public(_) | CallerNumber::Internal(_));
        let mut matching = self
            .waiting
            .iter()
            .enumerate()
            .filter(|(_, e)| leads_to(e, asker) && (e.caller == asker.caller || !is_known));
        let (index, _) = matching.next()?;
        if matching.next().is_some() {
            return None;
        }
        let mut found = self.waiting.remove(index)?;
        found.voice = found.voice.filter(|_| is_known);
        if let Some(sid) = &asker.call_sid {
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

/// Shared by the calls that expect a transfer and by the edge, which answers from memory.
#[derive(Debug, Default)]
pub struct SharedTransfers(Mutex<ExpectedTransfers>);

impl SharedTransfers {
    /// The agent's provider will ask for this call's voice.
    pub fn expect(&self, expected: Expected) {
        self.lock().expect(expected);
    }

    /// The provider will not ask for this call after all.
    pub fn withdraw(&self, call: CallId) {
        self.lock().withdraw(call);
    }

    /// The one transfer that this asker can be; see [`ExpectedTransfers::answer`].
    #[must_use]
    pub fn answer(&self, asker: &Asker, now: At) -> Option<Expected> {
        self.lock().answer(asker, now)
    }

    fn lock(&self) -> MutexGuard<'_, ExpectedTransfers> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// By the agent, or by the number: an outbound rule of the PBX may strip a prefix from the DN.
fn leads_to(expected: &Expected, asker: &Asker) -> bool {
    let called = asker.called.trim();
    let is_number = called.len() >= CALLED_MIN && expected.destination.ends_with(called)
        || expected.destination == called;
    expected.agent_id == asker.agent_id || is_number
}

#[cfg(test)]
mod tests;
