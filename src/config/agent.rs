//! The agent on the caller's own leg: how its conversation is opened, its variables, and where it may transfer.

use std::sync::Arc;

use precall_actors::call::line::{AgentAccess, BridgeRules};

use super::problem::Problems;
use super::section::Section;
use super::setting::variables;
use super::threecx::ThreeCx;
use super::value::lists::{Hosts, Pairs};
use super::value::numbers::{Millis, Seconds};
use super::value::words;
use super::values::Values;
use super::variables::DefaultValue::Text;
use super::variables::{Probed, Restart, Routes, Shown};

variables! { Section::Agent;
    transfer_destinations: Pairs {
        restart: Restart::NotNeeded,
        probed: Probed::By("destinations"),
        unit: "name=DN",
        routes: Routes::LiveLeg,
        shown: Shown::Masked,
        example: "sales=200,support=201",
        help: "People or queues that the agent may transfer a caller to, by name.",
        note: "The agent's client tool transfer_to_person takes one of the names. The model sees the names only; the \
            DNs stay in precall.",
    }
    agent_access: AgentAccess {
        restart: Restart::NotNeeded,
        routes: Routes::LiveLeg,
        default: Text("signed"),
        help: "How precall opens a conversation with the agent.",
        note: "signed: by an address that ElevenLabs signs. public: without authentication; the agent must allow it.",
    }
    agent_hosts: Hosts {
        restart: Restart::NotNeeded,
        probed: Probed::By("signed URL"),
        unit: "host names",
        routes: Routes::LiveLeg,
        example: "api.us.elevenlabs.io",
        help: "Hosts that a signed address may lead to, beside the host of ELEVENLABS_API_BASE.",
    }
    agent_first_message: String {
        restart: Restart::NotNeeded,
        probed: Probed::By("ElevenLabs agent"),
        routes: Routes::LiveLeg,
        example: "How can I help you?",
        help: "What the agent says first. none: the caller begins. Unset: the agent's own first message.",
        note: "The agent must allow the override agent.first_message.",
    }
    agent_dynamic_variables: Pairs {
        restart: Restart::NotNeeded,
        probed: Probed::Nothing,
        unit: "name=value",
        routes: Routes::LiveLeg,
        example: "shop=Bern",
        help: "Dynamic variables for the agent's prompt, beside call_id, caller_id and threecx_call_id.",
    }
    agent_stall_seconds: Seconds<1, 15> {
        restart: Restart::NotNeeded,
        routes: Routes::LiveLeg,
        default: Text("6"),
        help: "The caller hears hold music when the agent has not answered for this time.",
        note: "After 15 seconds without an answer precall gives this agent up and makes the next handoff attempt.",
    }
    agent_audio_ms: Millis<20, 100> {
        restart: Restart::NotNeeded,
        routes: Routes::LiveLeg,
        default: Text("60"),
        help: "Length of the pieces in which the caller's audio goes to the agent.",
        note: "Shorter pieces arrive sooner and cost more processor time.",
    }
}

words!(AgentAccess,
    "signed" => AgentAccess::Signed,
    "public" => AgentAccess::Public,
);

/// Value of AGENT_FIRST_MESSAGE that lets the caller begin. An empty variable counts as unset, so it needs a word.
const NO_FIRST_MESSAGE: &str = "none";

/// The agent on the caller's own leg.
#[derive(Clone, Debug)]
pub struct Agent {
    /// How the agent joins a leg. Used with call control only.
    pub bridge: Arc<BridgeRules>,
    /// Names of people and queues, and their DNs.
    pub persons: Arc<[(String, String)]>,
}

impl Agent {
    pub(super) fn read(values: &Values, threecx: Option<&ThreeCx>, problems: &mut Problems) -> Option<Self> {
        let settings = Settings::read(values, problems)?;
        let pairs = |Pairs(pairs)| pairs;
        let variables = settings.agent_dynamic_variables.optional().map(|set| set.map_or(Vec::new(), pairs));
        let persons = settings.transfer_destinations.optional().map(|set| set.map_or(Vec::new(), pairs));
        check_variables(variables.as_deref().unwrap_or_default(), problems);
        check_persons(persons.as_deref().unwrap_or_default(), threecx, problems);
        let first_message = settings.agent_first_message.optional()?;
        Some(Self {
            bridge: Arc::new(BridgeRules {
                access: settings.agent_access.value()?,
                hosts: settings.agent_hosts.optional()?.map(|Hosts(hosts)| hosts).unwrap_or_default(),
                first_message: first_message
                    .map(|text| if text == NO_FIRST_MESSAGE { String::new() } else { text }),
                variables: variables?,
                stall: settings.agent_stall_seconds.value()?.0,
                piece: settings.agent_audio_ms.value()?.0,
            }),
            persons: persons?.into(),
        })
    }
}

fn check_variables(variables: &[(String, String)], problems: &mut Problems) {
    const CHARACTERS_MAX: usize = 2_000;
    for (name, value) in variables {
        if name.starts_with("system__") || value.chars().count() > CHARACTERS_MAX {
            problems.add(
                "AGENT_DYNAMIC_VARIABLES",
                format!("`{name}` is reserved by ElevenLabs, or its value is too long"),
                "names that do not begin with system__, values of at most 2000 characters",
            );
        }
    }
}

fn check_persons(persons: &[(String, String)], threecx: Option<&ThreeCx>, problems: &mut Problems) {
    let own = threecx.and_then(ThreeCx::own_dn);
    for (name, to) in persons {
        if own.is_some_and(|own| own.eq_ignore_ascii_case(to)) {
            problems.add(
                "TRANSFER_DESTINATIONS",
                format!("`{name}` is THREECX_CLIENT_ID itself: the call would come back here"),
                "another DN than THREECX_CLIENT_ID",
            );
        }
    }
}
