//! Compares MAX_LIVE_CALLS with the limits of account, agent and PBX.

use precall_call::Route;
use precall_providers::elevenlabs::Subscription;

use super::finding::Judgement;
use super::world::World;
use crate::config::Config;

/// The limits that are compared, in the units in which they are bought.
#[derive(Clone, Copy, Debug)]
struct Carried {
    live_calls: u64,
    route: Route,
    agent_concurrency: Option<u64>,
    agent_limit: Option<u64>,
    slots: Option<(u64, u64)>,
    edits: Option<(u64, u64)>,
    pbx_calls: Option<u64>,
}

pub(super) fn look(world: &World<'_>) -> Vec<Judgement> {
    let account = world.account.as_ref().and_then(|account| account.as_ref().ok());
    let own = world.agents.iter().find(|(id, _)| *id == world.config.elevenlabs.agent_id);
    let limit = own.and_then(|(_, agent)| agent.as_ref().ok()).and_then(|agent| agent.concurrency);
    compared(world.config, account, limit)
}

/// One finding for each limit; a note where `MAX_LIVE_CALLS` is higher.
fn compared(config: &Config, account: Option<&Subscription>, agent_limit: Option<u64>) -> Vec<Judgement> {
    let count = |n: Option<i64>| n.and_then(|n| u64::try_from(n).ok());
    let slots = account.and_then(|a| count(a.voice_slots_used).zip(count(a.voice_limit)));
    let edits = account.and_then(|a| count(a.voice_add_edit_counter).zip(count(a.max_voice_add_edits)));
    let carried = Carried {
        live_calls: u64::try_from(config.call.max_live).unwrap_or(u64::MAX),
        route: config.call.route,
        agent_concurrency: config.budget.agent_concurrency.and_then(|n| u64::try_from(n).ok()),
        agent_limit,
        slots,
        edits,
        pbx_calls: config.threecx.simultaneous_calls,
    };
    carried.findings()
}

impl Carried {
    fn findings(self) -> Vec<Judgement> {
        let mut findings = vec![self.agents()];
        if let Some((used, limit)) = self.slots {
            let text = format!("voice slots: {used} of {limit} used");
            findings.push(self.against(limit, text, "no more callers at once can hear a cloned voice"));
        }
        if let Some((used, max)) = self.edits {
            let text = format!("voices added or edited: {used} of {max}");
            findings.push(if used < max { Judgement::Good(text) } else { Judgement::Note(text) });
        }
        if self.route != Route::Callback {
            findings.push(match self.pbx_calls {
                Some(calls) => self.against(
                    calls,
                    format!("3CX simultaneous calls: {calls}"),
                    "the PBX refuses more",
                ),
                None => Judgement::Note(
                    "3CX simultaneous calls: not known, set THREECX_SIMULTANEOUS_CALLS to the number in its licence"
                        .to_owned(),
                ),
            });
        }
        findings
    }

    fn agents(self) -> Judgement {
        if let (Some(ours), Some(theirs)) = (self.agent_concurrency, self.agent_limit)
            && ours > theirs
        {
            return Judgement::Note(format!(
                "AGENT_CONCURRENCY is {ours}, and the agent's own limit is {theirs}: ElevenLabs refuses more"
            ));
        }
        match self.agent_concurrency.into_iter().chain(self.agent_limit).min() {
            Some(limit) => {
                let text = format!("conversations with agents at once: {limit}");
                self.against(limit, text, "one more call waits 3 seconds, then it goes to a person or is refused")
            }
            None => Judgement::Note(
                "conversations with agents at once: the agent has no limit of its own, but the account's plan has one; \
                 set AGENT_CONCURRENCY to that limit"
                    .to_owned(),
            ),
        }
    }

    fn against(self, limit: u64, text: String, why: &str) -> Judgement {
        if limit >= self.live_calls {
            return Judgement::Good(text);
        }
        Judgement::Note(format!("{text}, and MAX_LIVE_CALLS is {}: {why}", self.live_calls))
    }
}

#[cfg(test)]
mod tests;
