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
mod tests {
    #![allow(clippy::unwrap_used)] // A test that cannot go on should stop.

    use super::*;

    const NOW: At = At(1_700_000_000_000_000);

    fn later(seconds: u64) -> At {
        NOW.plus(Duration::from_secs(seconds))
    }

    fn number(raw: &str) -> CallerNumber {
        CallerNumber::parse(raw, "DE".parse().unwrap())
    }

    fn expected(call: u128, caller: &str, voice: &str) -> Expected {
        let (agent_id, destination, voice) = ("agent".into(), "88700".into(), Some(VoiceId::new(voice)));
        Expected { call: CallId(call), agent_id, destination, caller: number(caller), voice, since: NOW }
    }

    fn asker(caller: &str, sid: &str) -> Asker {
        let (agent_id, called) = ("agent".into(), String::new());
        Asker { agent_id, called, caller: number(caller), call_sid: Some(sid.into()) }
    }

    const A: &str = "+4915112345678";
    const B: &str = "+4915112345679";

    #[test]
    fn the_one_transfer_of_this_caller_is_answered_once_and_the_same_asker_again() {
        let mut transfers = ExpectedTransfers::default();
        transfers.expect(expected(1, A, "a"));
        transfers.expect(expected(2, B, "b"));
        let first = transfers.answer(&asker("015112345678", "sid1"), later(5)).unwrap();
        assert_eq!((first.call, first.voice), (CallId(1), Some(VoiceId::new("a"))));
        assert_eq!(
            transfers.answer(&asker(A, "sid1"), later(6)).unwrap().call,
            CallId(1),
            "a repeated question"
        );
        assert_eq!(transfers.answer(&asker(A, "sid2"), later(6)), None, "used once");
    }

    #[test]
    fn an_agent_is_known_by_the_number_it_was_reached_at_as_well() {
        for called in ["88700", "700"] {
            let mut transfers = ExpectedTransfers::default();
            transfers.expect(expected(1, A, "a"));
            let asker = Asker { agent_id: "imported".into(), called: called.into(), ..asker(A, "1") };
            assert_eq!(transfers.answer(&asker, later(1)).unwrap().call, CallId(1), "{called}");
        }
    }

    #[test]
    fn a_withheld_number_earns_no_voice_but_its_report_finds_the_only_call() {
        let mut transfers = ExpectedTransfers::default();
        transfers.expect(expected(1, A, "a"));
        let found = transfers.answer(&asker("anonymous", "1"), later(1)).unwrap();
        assert_eq!((found.call, found.voice), (CallId(1), None));
    }

    #[test]
    fn several_none_withheld_expired_withdrawn_and_of_another_agent_are_not_answered() {
        let mut transfers = ExpectedTransfers::default();
        assert_eq!(transfers.answer(&asker(A, "1"), NOW), None);
        transfers.expect(expected(1, A, "a"));
        transfers.expect(expected(2, A, "b"));
        assert_eq!(transfers.answer(&asker(A, "2"), later(1)), None, "which of the two?");
        transfers.withdraw(CallId(2));
        let another = Asker { agent_id: "another".into(), ..asker(A, "3") };
        assert_eq!(transfers.answer(&another, later(1)), None);
        let elsewhere = Asker { called: "701".into(), ..another.clone() };
        assert_eq!(transfers.answer(&elsewhere, later(1)), None);
        transfers.expect(expected(3, "anonymous", "c"));
        assert_eq!(transfers.answer(&asker("anonymous", "4"), later(1)), None, "one of two");
        assert_eq!(transfers.answer(&asker(A, "5"), later(61)), None, "60 s have passed");
    }
}
