//! Lines: the settings of a called number. Fields that are not set come from the default line of the environment.
//!
//! Pure: no clock, no I/O, no actor.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use precall_base::phone_number::{CallerNumber, Region};
use precall_call::{LineId, Policy, Proof, Route, VoiceId, VoicePolicy, VoiceWait};
use precall_store::lines::{LineSettings, StoredLine};
use sha2::{Digest as _, Sha256};

use crate::call::announcements::Announcements;

/// The settings of one called number.
#[derive(Clone, Debug)]
pub struct Line {
    /// The called number, or `default`.
    pub id: LineId,
    /// The version of its settings; `None` for the default line and for a row that was written by hand.
    pub version: Option<u32>,
    /// The version on trial, and how many of a hundred callers get it.
    pub trial: Option<(u8, Arc<Line>)>,
    /// The account that owns the line.
    pub account: String,
    /// The agent's id at ElevenLabs.
    pub agent_id: String,
    /// ElevenLabs' id of the number that the agent calls from.
    pub phone_number_id: String,
    /// The notice before every greeting; it is never skipped. `None` if the PBX plays it.
    pub notice: Option<String>,
    /// The text of the greeting.
    pub greeting_message: String,
    /// The voice of the greeting. `None`: the agent's own voice.
    pub greeting_voice: Option<VoiceId>,
    /// The agent's language. `None`: the language set at ElevenLabs.
    pub language: Option<String>,
    /// The voice of the fallback rungs.
    pub fallback_voice: Option<VoiceId>,
    /// Which calls may use a caller's cloned voice, unless the caller's mapping sets its own policy.
    pub voice_policy: VoicePolicy,
    /// The DN of the agent's trunk.
    pub agent_destination: Option<String>,
    /// The DN of a person, for the fallback.
    pub fallback_destination: Option<String>,
    /// Prompts for a live leg. `None` on route `callback`, where the agent speaks the greeting.
    pub announcements: Option<Announcements>,
    /// Limit of live calls on this line. `None`: only the installation's limit applies.
    pub max_live_calls: Option<usize>,
    /// Rules of the installation, with this line's own times.
    pub rules: LineRules,
}

/// The part of a line that becomes a call's policy.
#[derive(Clone, Debug)]
pub struct LineRules {
    /// How greeting and handoff reach the caller.
    pub route: Route,
    /// Whether a call waits on hold for the voice, or starts without it.
    pub voice_wait: VoiceWait,
    /// `AUTO_TRANSITION_ENABLED`.
    pub auto_transition: bool,
    /// `CALLBACK_ENDS_WITH_PBX_CALL`.
    pub ends_with_pbx_call: bool,
    /// `PIN_WAIT_SECONDS`.
    pub pin_wait: Duration,
    /// `CLONE_MAX_WAIT_SECONDS`.
    pub clone_max_wait: Duration,
    /// `CALLBACK_RING_SECONDS`.
    pub ring_max: Duration,
    /// `GREETING_MAX_SECONDS`, for route `callback` only; other routes use the length of the recording.
    pub greeting_max: Duration,
    /// `HANDOFF_MAX_SECONDS`.
    pub handoff_max: Duration,
    /// `TRANSFER_RING_SECONDS`: how long the agent's trunk or a person may ring.
    pub transfer_ring: Duration,
    /// `GREETING_SKIP_DTMF`.
    pub skip_key: Option<char>,
    /// `FALLBACK_DTMF`.
    pub person_key: Option<char>,
    /// How an agent is connected to the caller's own leg. `None` without the bridge.
    pub bridge: Option<Arc<BridgeRules>>,
    /// `TRANSFER_DESTINATIONS`: names of persons and their destinations at the PBX.
    pub persons: Arc<[(String, String)]>,
    /// `CONVERSATION_MAX_SECONDS`.
    pub conversation_max: Duration,
    /// How long after the end of its conversation a report may arrive.
    pub report_grace: Duration,
    /// Whether operators may listen to its calls: `SUPERVISION`, and a notice that mentions it.
    pub supervised: bool,
}

/// How an agent is connected to the caller's own leg.
#[derive(Clone, Debug)]
pub struct BridgeRules {
    /// `AGENT_ACCESS`.
    pub access: AgentAccess,
    /// `AGENT_HOSTS`: hosts allowed in a signed address, besides the API's own host.
    pub hosts: Vec<String>,
    /// `AGENT_FIRST_MESSAGE`: the agent's first words. Empty: the caller speaks first. `None`: the agent's own message.
    pub first_message: Option<String>,
    /// `AGENT_DYNAMIC_VARIABLES`: variables for the agent's prompt, besides the call's own.
    pub variables: Vec<(String, String)>,
    /// `AGENT_STALL_SECONDS`: when the agent owes an answer for this long, the caller hears hold music.
    pub stall: Duration,
    /// `AGENT_AUDIO_MS`: length of the audio chunks sent to the agent.
    pub piece: Duration,
}

/// How a conversation with the agent is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AgentAccess {
    /// With an address that ElevenLabs signs for precall.
    Signed,
    /// With the agent's id alone.
    Public,
}

/// How long a leg may take to appear after its webhook, on routes with a live leg.
const LEG_MAX: Duration = Duration::from_secs(10);
/// How long a call waits after a restart for the PBX's list of legs. A caller rarely stays longer on a silent leg.
const LIST_MAX: Duration = Duration::from_secs(300);
/// Time for the PBX to open a leg's media (10 s), and for cuts that delay a greeting.
const STREAM_MAX: Duration = Duration::from_secs(15);
/// Time for the answer of a `routeto` after the ringing (10 s), and for the check after a lost answer.
const ROUTE_ANSWER_MAX: Duration = Duration::from_secs(15);

impl Line {
    /// Notice and greeting as one text, for the agent on route `callback`.
    #[must_use]
    pub fn spoken_greeting(&self) -> String {
        match &self.notice {
            Some(notice) => format!("{notice} {}", self.greeting_message),
            None => self.greeting_message.clone(),
        }
    }

    /// The policy of a call on this line.
    #[must_use]
    pub fn policy(&self) -> Policy {
        let rules = &self.rules;
        let live = self.announcements.as_ref();
        Policy {
            route: rules.route,
            line: self.id.clone(),
            line_version: self.version,
            fallback_voice: self.fallback_voice.clone(),
            voice_wait: rules.voice_wait,
            auto_transition: rules.auto_transition,
            has_bridge: live.is_some() && rules.bridge.is_some(),
            notice: live.and_then(Announcements::notice_version),
            has_transfer: live.is_some() && self.agent_destination.is_some(),
            has_destination: live.is_some() && self.fallback_destination.is_some(),
            persons: rules.persons.iter().map(|(name, _)| Arc::from(name.as_str())).collect(),
            ends_with_pbx_call: rules.ends_with_pbx_call,
            skip_key: rules.skip_key,
            person_key: rules.person_key,
            proof: Proof::None,
            pin_wait: rules.pin_wait,
            clone_max_wait: rules.clone_max_wait,
            ring_max: rules.ring_max,
            greeting_max: live.map_or(rules.greeting_max, |p| p.greeting_length() + STREAM_MAX),
            handoff_max: if live.is_some() {
                rules.transfer_ring + ROUTE_ANSWER_MAX
            } else {
                rules.handoff_max
            },
            conversation_max: rules.conversation_max,
            leg_max: LEG_MAX,
            list_max: Some(LIST_MAX),
            report_grace: rules.report_grace,
            notes_first_word: true,
            free_retries: true,
            supervised: rules.supervised,
        }
    }

    /// The policy of a call of the canary: it tries the route itself, and no rung that helps a caller when that fails.
    pub(crate) fn policy_of_canary(&self) -> Policy {
        let policy = self.policy();
        Policy {
            has_bridge: policy.has_bridge && policy.route == Route::Bridge,
            has_transfer: policy.has_transfer && policy.route == Route::Transfer,
            has_destination: false,
            persons: Arc::default(),
            ..policy
        }
    }

    /// The name of its prompts: each version has its own.
    #[must_use]
    pub fn prompts_id(&self) -> LineId {
        match self.version {
            Some(version) => LineId::new(format!("{} version {version}", self.id)),
            None => self.id.clone(),
        }
    }

    /// The version of this line that the caller gets. A caller always gets the same while the share stays.
    #[must_use]
    pub fn of_caller(self: &Arc<Self>, caller: &CallerNumber) -> Arc<Self> {
        match &self.trial {
            Some((percent, trial)) if share(&self.id, caller).is_some_and(|share| share < *percent) => {
                Arc::clone(trial)
            }
            Some(_) | None => Arc::clone(self),
        }
    }

    fn with_row(&self, row: &StoredLine) -> Self {
        let id = LineId::new(&row.number);
        let version = |version: i32| u32::try_from(version).ok();
        let trial = row.trial.as_ref().and_then(|trial| {
            let line = self.with_stored(id.clone(), &trial.settings, version(trial.version));
            Some((u8::try_from(trial.percent).ok()?, Arc::new(line)))
        });
        Self { trial, ..self.with_stored(id, &row.settings, row.version.and_then(version)) }
    }

    fn with_stored(&self, id: LineId, stored: &LineSettings, version: Option<u32>) -> Self {
        let mut line = self.clone();
        line.id = id;
        line.version = version;
        stored.account().clone_into(&mut line.account);
        let set = |field: &mut String, value: &Option<String>| {
            if let Some(value) = value {
                field.clone_from(value);
            }
        };
        set(&mut line.agent_id, &stored.agent_id);
        set(&mut line.phone_number_id, &stored.phone_number_id);
        set(&mut line.greeting_message, &stored.greeting_message);
        line.greeting_voice = stored.greeting_voice_id.as_ref().map(VoiceId::new).or(line.greeting_voice);
        line.language = stored.language.clone().or(line.language);
        line.fallback_voice = stored.fallback_voice_id.as_ref().map(VoiceId::new).or(line.fallback_voice);
        line.voice_policy = stored.policy().unwrap_or(line.voice_policy);
        line.fallback_destination = stored.fallback_destination.clone().or(line.fallback_destination);
        line.max_live_calls =
            stored.max_live_calls.and_then(|n| usize::try_from(n).ok()).or(line.max_live_calls);
        let seconds = |n: Option<i32>| n.and_then(|n| u64::try_from(n).ok()).map(Duration::from_secs);
        line.rules.greeting_max = seconds(stored.greeting_max_seconds).unwrap_or(line.rules.greeting_max);
        line.rules.clone_max_wait =
            seconds(stored.clone_max_wait_seconds).unwrap_or(line.rules.clone_max_wait);
        line
    }
}

/// The place of a caller among a hundred; none without a number, whose callers cannot be told apart.
fn share(line: &LineId, caller: &CallerNumber) -> Option<u8> {
    let caller = match caller {
        CallerNumber::Public(number) => number.as_e164(),
        CallerNumber::Internal(extension) => extension.as_str(),
        CallerNumber::Withheld | CallerNumber::Unreadable => return None,
    };
    // With the line, so that the same callers are not the first to try everything.
    let digest = Sha256::new().chain_update(line.as_str()).chain_update([0]).chain_update(caller).finalize();
    let mut first = [0; 8];
    first.iter_mut().zip(digest).for_each(|(byte, digested)| *byte = digested);
    u8::try_from(u64::from_be_bytes(first) % 100).ok()
}

/// All lines of the installation.
#[derive(Clone, Debug)]
pub struct Lines {
    default: Arc<Line>,
    by_number: HashMap<CallerNumber, Arc<Line>>,
    by_id: HashMap<LineId, Arc<Line>>,
}

impl Lines {
    /// The default line and the stored lines. Also returns the numbers of stored lines that cannot be parsed.
    #[must_use]
    pub fn new(default: Line, stored: &[StoredLine], region: Region) -> (Self, Vec<String>) {
        let mut lines = Self { default: Arc::new(default), by_number: HashMap::new(), by_id: HashMap::new() };
        let mut unreadable = Vec::new();
        for row in stored {
            let number = CallerNumber::parse(&row.number, region);
            if matches!(number, CallerNumber::Withheld | CallerNumber::Unreadable) {
                unreadable.push(row.number.clone());
                continue;
            }
            let line = Arc::new(lines.default.with_row(row));
            lines.by_id.insert(line.id.clone(), Arc::clone(&line));
            lines.by_number.insert(number, line);
        }
        (lines, unreadable)
    }

    /// The same lines with their announcements.
    #[must_use]
    pub fn with_announcements(mut self, announcements: &HashMap<LineId, Announcements>) -> Self {
        let own = |line: &Line| Line {
            announcements: announcements.get(&line.prompts_id()).cloned(),
            ..line.clone()
        };
        let with_own = |line: &Arc<Line>| {
            let trial = line.trial.as_ref().map(|(percent, trial)| (*percent, Arc::new(own(trial))));
            Arc::new(Line { trial, ..own(line) })
        };
        self.default = with_own(&self.default);
        for line in self.by_number.values_mut() {
            *line = with_own(line);
            self.by_id.insert(line.id.clone(), Arc::clone(line));
        }
        self
    }

    /// The line of a called number, or the default line.
    #[must_use]
    pub fn of_called(&self, called: &CallerNumber) -> &Arc<Line> {
        self.by_number.get(called).unwrap_or(&self.default)
    }

    /// The line of a stored call, or the default line if it was removed.
    #[must_use]
    pub fn of_id(&self, id: &str) -> &Arc<Line> {
        self.by_id.get(&LineId::new(id)).unwrap_or(&self.default)
    }

    /// The line of a stored call in the version that the call began with, if that still counts or is on trial.
    #[must_use]
    pub fn of_call(&self, id: &str, version: Option<u32>) -> &Arc<Line> {
        let line = self.of_id(id);
        match &line.trial {
            Some((_, trial)) if version.is_some() && trial.version == version => trial,
            Some(_) | None => line,
        }
    }

    /// The default line.
    #[must_use]
    pub fn default_line(&self) -> &Arc<Line> {
        &self.default
    }

    /// Every line, and every version on trial.
    pub fn all(&self) -> impl Iterator<Item = &Arc<Line>> {
        let lines = std::iter::once(&self.default).chain(self.by_id.values());
        lines.flat_map(|line| std::iter::once(line).chain(line.trial.as_ref().map(|(_, trial)| trial)))
    }

    /// The numbers of all lines. precall must never dial them.
    pub fn numbers(&self) -> impl Iterator<Item = &CallerNumber> {
        self.by_number.keys()
    }
}
