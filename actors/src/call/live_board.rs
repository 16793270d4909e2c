//! The board of live calls: call actors write it and the API reads it, without messages between them.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard};

use precall_base::phone_number::CallerNumber;
use precall_call::{At, Call, CallId, ConversationId, Deadline, Purpose, Route, Voice};

use crate::call::call_context::CallContext;

/// A live call as the board shows it.
#[derive(Clone, Debug)]
pub struct LiveCall {
    /// precall's id.
    pub id: CallId,
    /// The PBX's id.
    pub threecx_call_id: Option<String>,
    /// The caller, masked.
    pub caller: String,
    /// The line's name.
    pub line: String,
    /// How greeting and handoff reach the caller.
    pub route: Route,
    /// The state's name.
    pub state: &'static str,
    /// Since when the call is in this state, in microseconds since the epoch. After a restart: since the restart.
    pub state_since: i64,
    /// `awaited`, `cloned` or `fallback`.
    pub voice: &'static str,
    /// Why there is no cloned voice.
    pub voice_missing: Option<&'static str>,
    /// Whether the call waits for its caller's cloned voice.
    pub awaits_voice: bool,
    /// When the voice was decided.
    pub voice_decided: Option<At>,
    /// Microseconds since the epoch.
    pub offered_at: i64,
    /// The armed deadline.
    pub deadline: Option<Deadline>,
    /// Kind of the last event; `None` for a call that was read back a moment ago.
    pub last_event: Option<&'static str>,
    /// Time of the last event.
    pub last_event_at: At,
    /// The agent's conversation, once known.
    pub conversation: Option<ConversationId>,
    /// The call's actors that run now.
    pub actors: Vec<&'static str>,
}

/// All live calls. Cheap to clone; all clones share one map.
#[derive(Clone, Debug, Default)]
pub struct Board(Arc<Mutex<Shown>>);

#[derive(Debug, Default)]
struct Shown {
    live: HashMap<CallId, LiveCall>,
    /// Calls whose actors have not shown themselves yet: admitted a moment ago, or read back after a restart.
    starting: HashSet<CallId>,
}

impl Board {
    /// Expects a call that its actor will show.
    pub fn expect(&self, call: CallId) {
        self.lock().starting.insert(call);
    }

    /// Whether the call is expected, but not shown yet.
    #[must_use]
    pub fn is_starting(&self, call: CallId) -> bool {
        self.lock().starting.contains(&call)
    }

    /// Inserts or updates a call; removes a released one. `last_event` is the kind of its last event.
    pub fn show(
        &self,
        context: &CallContext,
        call: &Call,
        actors: Vec<&'static str>,
        last_event: Option<&'static str>,
    ) {
        let mut board = self.lock();
        board.starting.remove(&context.id);
        if call.is_released() {
            board.live.remove(&context.id);
            return;
        }
        let mut shown = live_call(context, call, actors, last_event);
        if let Some(before) = board.live.get(&context.id).filter(|before| before.state == shown.state) {
            shown.state_since = before.state_since;
        }
        board.live.insert(context.id, shown);
    }

    /// Removes a call whose actor has stopped.
    pub fn remove(&self, call: CallId) {
        let mut board = self.lock();
        board.starting.remove(&call);
        board.live.remove(&call);
    }

    /// Every live call, oldest first.
    #[must_use]
    pub fn live(&self) -> Vec<LiveCall> {
        let mut live: Vec<LiveCall> = self.lock().live.values().cloned().collect();
        live.sort_by_key(|call| call.id);
        live
    }

    /// One live call.
    #[must_use]
    pub fn find(&self, call: CallId) -> Option<LiveCall> {
        self.lock().live.get(&call).cloned()
    }

    /// The number of live calls.
    #[must_use]
    pub fn count(&self) -> usize {
        self.lock().live.len()
    }

    fn lock(&self) -> MutexGuard<'_, Shown> {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

fn live_call(
    context: &CallContext,
    call: &Call,
    actors: Vec<&'static str>,
    last_event: Option<&'static str>,
) -> LiveCall {
    let (voice, voice_missing) = match &call.voice {
        Voice::Awaited => ("awaited", None),
        Voice::Cloned(_) => ("cloned", None),
        Voice::Fallback(why) => ("fallback", Some(why.name())),
    };
    LiveCall {
        id: context.id,
        threecx_call_id: context.threecx_call_id.clone(),
        caller: match &context.caller {
            CallerNumber::Public(number) => number.to_string(),
            CallerNumber::Internal(_) => "internal".to_owned(),
            CallerNumber::Withheld | CallerNumber::Unreadable => "unknown".to_owned(),
        },
        line: context.line.id.to_string(),
        route: call.policy.route,
        state: call.phase.name(),
        state_since: call.at.0,
        voice,
        voice_missing,
        awaits_voice: call.awaits_voice,
        voice_decided: call.instants.voice_decided,
        offered_at: call.instants.offered.0,
        deadline: call.deadline(),
        last_event,
        last_event_at: call.at,
        conversation: call.conversation(Purpose::Agent).and_then(|agent| agent.id.clone()),
        actors,
    }
}
