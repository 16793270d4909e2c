//! What each agent lets a conversation change. ElevenLabs refuses a conversation with a setting that the agent does not
//! allow, and every such permission is off by default, so precall asks first and sends only what is allowed.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use precall_base::clock;
use precall_call::{At, ConversationId, VoiceId};
use precall_providers::elevenlabs::{AgentDetail, ElevenLabs, VoiceEcho, refused_field};
use slog::{Logger, info, warn};

use crate::runtime::clients::Clients;

/// How long an answer of ElevenLabs is used.
const FRESH_FOR: Duration = Duration::from_secs(60);
/// After a request that failed, the next one waits this long.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(10);
/// A call waits at most this long for the settings.
const ASK_WITHIN: Duration = Duration::from_millis(1_500);
/// How long a refusal counts for more than the settings.
const REFUSED_FOR: Duration = Duration::from_secs(300);
/// Agents that are remembered. An installation has a handful.
const AGENTS_MAX: usize = 1_000;

/// A setting of the agent that precall may change for one conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Override {
    /// `tts.voice_id`.
    Voice,
    /// `agent.first_message`.
    FirstMessage,
    /// `agent.language`.
    Language,
    /// `conversation.max_duration_seconds`.
    MaxDuration,
}

impl Override {
    const ALL: [Self; 4] = [Self::Voice, Self::FirstMessage, Self::Language, Self::MaxDuration];

    /// The provider's name of it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Voice => "tts.voice_id",
            Self::FirstMessage => "agent.first_message",
            Self::Language => "agent.language",
            Self::MaxDuration => "conversation.max_duration_seconds",
        }
    }

    /// What a caller notices without it; none where precall does without.
    fn missed(self) -> Option<&'static str> {
        match self {
            Self::Voice => Some("callers hear the agent's own voice"),
            Self::FirstMessage => Some("the agent begins with its own first message"),
            Self::Language => Some("the agent speaks its own language"),
            // ElevenLabs' dashboard has no switch for it.
            Self::MaxDuration => None,
        }
    }
}

/// What one agent allows now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AgentTerms {
    voice: bool,
    first_message: bool,
    language: bool,
    max_duration: bool,
    /// Whether the agent has a first message of its own; none if that is not known.
    pub greets: Option<bool>,
}

/// What precall sends to an agent whose settings cannot be read: what its routes cannot do without.
const ASSUMED: AgentTerms =
    AgentTerms { voice: true, first_message: true, language: false, max_duration: false, greets: None };

impl AgentTerms {
    /// Whether this override may be sent.
    #[must_use]
    pub fn allow(&self, which: Override) -> bool {
        match which {
            Override::Voice => self.voice,
            Override::FirstMessage => self.first_message,
            Override::Language => self.language,
            Override::MaxDuration => self.max_duration,
        }
    }

    fn of(agent: &AgentDetail) -> Self {
        let allowed = agent.overrides;
        Self {
            voice: allowed.voice,
            first_message: allowed.first_message,
            language: allowed.language,
            max_duration: allowed.max_duration,
            greets: agent.first_message.as_ref().map(|words| !words.is_empty()),
        }
    }

    fn without(mut self, refused: &[Override]) -> Self {
        for which in refused {
            match which {
                Override::Voice => self.voice = false,
                Override::FirstMessage => self.first_message = false,
                Override::Language => self.language = false,
                Override::MaxDuration => self.max_duration = false,
            }
        }
        self
    }
}

/// What is known of one agent.
#[derive(Clone, Copy, Debug, Default)]
struct Known {
    terms: Option<AgentTerms>,
    /// When it may be asked again.
    ask_after: Option<At>,
}

impl Known {
    fn is_due(&self, now: At) -> bool {
        self.ask_after.is_none_or(|at| at <= now)
    }
}

#[derive(Default)]
struct Agent {
    known: Mutex<Known>,
    /// Held while ElevenLabs is asked: the others wait for the same answer, or use the last one.
    asking: tokio::sync::Mutex<()>,
}

/// The agents' settings, shared by all calls.
pub struct AgentSettings {
    agents: Mutex<HashMap<String, Arc<Agent>>>,
    refused: Mutex<HashMap<String, Vec<(Override, At)>>>,
    /// What went wrong, by agent and override, in words.
    problems: Mutex<BTreeMap<(String, Override), (At, String)>>,
    /// Agents that left out the cloned voice without an error, since when and in words.
    dropped: Mutex<BTreeMap<String, (At, String)>>,
    log: Logger,
}

impl AgentSettings {
    /// Nothing is known yet.
    #[must_use]
    pub fn new(log: Logger) -> Self {
        Self {
            agents: Mutex::default(),
            refused: Mutex::default(),
            problems: Mutex::default(),
            dropped: Mutex::default(),
            log,
        }
    }

    /// What the agent allows. The first call of an agent waits at most 1.5 s for ElevenLabs' answer. Later ones use the
    /// last answer, and one that is older than a minute is asked for again meanwhile: no call waits for it.
    pub async fn of(self: &Arc<Self>, clients: &Rc<Clients>, agent_id: &str) -> AgentTerms {
        let agent = self.agent(agent_id);
        if lock(&agent.known).terms.is_none() {
            let _asking = agent.asking.lock().await;
            self.ask(&agent, &clients.dials, agent_id).await;
        } else if lock(&agent.known).is_due(clock::now()) {
            let (settings, clients, agent_id) = (Arc::clone(self), Rc::clone(clients), agent_id.to_owned());
            actix::spawn(async move {
                if let Ok(_asking) = agent.asking.try_lock() {
                    settings.ask(&agent, &clients.dials, &agent_id).await;
                }
            });
        }
        self.known(agent_id)
    }

    fn agent(&self, agent_id: &str) -> Arc<Agent> {
        let mut agents = lock(&self.agents);
        if agents.len() >= AGENTS_MAX && !agents.contains_key(agent_id) {
            agents.clear();
        }
        Arc::clone(agents.entry(agent_id.to_owned()).or_default())
    }

    /// Asks ElevenLabs, if it is time to. Without an answer the last one counts.
    async fn ask(&self, agent: &Agent, client: &ElevenLabs, agent_id: &str) {
        if !lock(&agent.known).is_due(clock::now()) {
            return;
        }
        let answer = client.agent(agent_id, ASK_WITHIN).await;
        let mut known = lock(&agent.known);
        let wait = match answer {
            Ok(detail) => {
                known.terms = Some(AgentTerms::of(&detail));
                FRESH_FOR
            }
            Err(error) => {
                warn!(self.log, "could not read the agent's settings"; "agent_id" => agent_id, "error" => %error);
                PAUSE_AFTER_FAILURE
            }
        };
        known.ask_after = Some(clock::now().plus(wait));
    }

    /// What is known of the agent without asking.
    #[must_use]
    pub fn known(&self, agent_id: &str) -> AgentTerms {
        let terms = lock(&self.agents).get(agent_id).and_then(|agent| lock(&agent.known).terms);
        terms.unwrap_or(ASSUMED).without(&self.refused_by(agent_id, clock::now()))
    }

    /// Whether the override may be sent. Where the call wants it and may not send it, health says so.
    pub fn may_send(&self, agent_id: &str, terms: &AgentTerms, which: Override) -> bool {
        let allowed = terms.allow(which);
        let mut problems = lock(&self.problems);
        let key = (agent_id.to_owned(), which);
        if allowed {
            problems.remove(&key);
        } else if let Some(missed) = which.missed() {
            let words = format!(
                "agent {agent_id} does not allow the override {}: {missed}. Switch it on at ElevenLabs, in the \
                 agent's security settings under overrides",
                which.name()
            );
            if let Entry::Vacant(new) = problems.entry(key) {
                new.insert((clock::now(), words));
                warn!(self.log, "the agent does not allow an override"; "agent_id" => agent_id,
                    "override" => which.name());
            }
        }
        allowed
    }

    /// ElevenLabs refused a conversation because of an override. Words that name no field count against all.
    pub fn refused(&self, agent_id: &str, words: &str) {
        let now = clock::now();
        let field = refused_field(words);
        let named = |which: &Override| field.is_none_or(|field| which.name().ends_with(field));
        let mut which: Vec<Override> = Override::ALL.into_iter().filter(named).collect();
        if which.is_empty() {
            which.extend(Override::ALL);
        }
        let names: Vec<&str> = which.iter().map(|which| which.name()).collect();
        info!(self.log, "leaving out an override that ElevenLabs refused"; "agent_id" => agent_id,
            "override" => names.join(" "));
        let mut refused = lock(&self.refused);
        if refused.len() >= AGENTS_MAX && !refused.contains_key(agent_id) {
            refused.clear();
        }
        let of_agent = refused.entry(agent_id.to_owned()).or_default();
        of_agent.retain(|(known, _)| !which.contains(known));
        of_agent.extend(which.into_iter().map(|which| (which, now)));
    }

    /// A report repeats which voice its conversation took from us; `voice` is the one that was sent. A voice that was
    /// left out without an error is a problem until a later conversation takes it.
    pub fn voice_echoed(&self, agent_id: &str, of: &ConversationId, voice: &VoiceId, echo: &VoiceEcho) {
        let taken = match echo {
            VoiceEcho::NotShown => return,
            VoiceEcho::None => None,
            VoiceEcho::Voice(taken) => Some(taken),
        };
        let mut dropped = lock(&self.dropped);
        if taken == Some(voice) {
            dropped.remove(agent_id);
            return;
        }
        let words = format!(
            "agent {agent_id} left out the override tts.voice_id without an error: conversation {of} took {} instead \
             of the cloned voice. Switch the override on at ElevenLabs, in the agent's security settings",
            taken.map_or("no voice of ours", VoiceId::as_str)
        );
        if dropped.insert(agent_id.to_owned(), (clock::now(), words)).is_none() {
            warn!(self.log, "the agent left out the cloned voice"; "agent_id" => agent_id,
                "conversation_id" => of.as_str());
        }
    }

    /// The problems, each since when and in words.
    #[must_use]
    pub fn problems(&self) -> Vec<(At, String)> {
        let not_allowed = lock(&self.problems).values().cloned().collect::<Vec<_>>();
        not_allowed.into_iter().chain(lock(&self.dropped).values().cloned()).collect()
    }

    fn refused_by(&self, agent_id: &str, now: At) -> Vec<Override> {
        let refused = lock(&self.refused);
        let of_agent = refused.get(agent_id).map(Vec::as_slice).unwrap_or_default();
        let recent = of_agent.iter().filter(|(_, at)| now.since(*at) < REFUSED_FOR);
        recent.map(|(which, _)| *which).collect()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
