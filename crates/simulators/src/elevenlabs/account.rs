//! The account: `PUT /sim/account` with an object, which replaces all of it.
//!
//! | field | meaning |
//! |---|---|
//! | `tier`, `status` | the plan's name and state: `creator`, `active` |
//! | `can_use_instant_voice_cloning` | without it a clone is refused with 400 `paid_plan_required` |
//! | `voice_slots` | clones at once; null: `--voice-slots` |
//! | `max_voice_add_edits` | as `GET /v1/user/subscription` shows it; it is not enforced |
//! | `character_count`, `character_limit` | credits; a null count: what was spoken here |
//! | `agents`, `voices` | the ids that exist, beside clones; null: every id that was not deleted |
//! | `phone_numbers` | the numbers that exist, see `PhoneNumber`; null: every id |
//! | `webhooks` | webhooks of the workspace, see `WorkspaceWebhook`; null: the one of `--webhook-url` |
//! | `settings` | settings of all agents, see `Settings`; null: those of the simulator's own flags |
//!
//! A post-call webhook that is disabled, or an event that the settings leave out, is not posted.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::shared::options::Target;

/// Most entries of a list.
const MOST_ENTRIES: usize = 1_000;
/// The webhook of `--webhook-url`.
const OWN_WEBHOOK: &str = "webhook_simulated";
/// The events of `--webhook-url`.
const OWN_EVENTS: [&str; 2] = ["transcript", "call_initiation_failure"];
/// The events that a webhook can have (OpenAPI: `WebhookEventType`; facts page, section 5).
const EVENTS: [&str; 6] = [
    "transcript",
    "audio",
    "call_initiation_failure",
    "answering_machine_detection",
    "unredacted_transcript",
    "unredacted_audio",
];

/// What carries the calls of a number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NumberProvider {
    /// A SIP trunk.
    #[default]
    SipTrunk,
    /// Twilio.
    Twilio,
}

/// A telephone number of the account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PhoneNumber {
    /// Its id.
    pub phone_number_id: String,
    /// The number itself.
    #[serde(default = "some_number")]
    pub phone_number: String,
    /// Its name in the dashboard.
    #[serde(default)]
    pub label: String,
    /// What carries its calls.
    #[serde(default)]
    pub provider: NumberProvider,
    /// The agent that answers it.
    #[serde(default)]
    pub agent_id: Option<String>,
    /// Whether calls come in.
    #[serde(default = "yes")]
    pub supports_inbound: bool,
    /// Whether it can call.
    #[serde(default = "yes")]
    pub supports_outbound: bool,
}

fn some_number() -> String {
    super::conversation::AGENT_NUMBER.to_owned()
}

fn yes() -> bool {
    true
}

impl PhoneNumber {
    /// A number that can do everything.
    pub fn named(id: &str) -> Self {
        Self {
            phone_number_id: id.to_owned(),
            phone_number: some_number(),
            label: "Simulated number".to_owned(),
            provider: NumberProvider::default(),
            agent_id: None,
            supports_inbound: true,
            supports_outbound: true,
        }
    }

    /// The provider's `GetPhoneNumberSIPTrunkResponseModel` or `GetPhoneNumberTwilioResponseModel`.
    pub(super) fn json(&self) -> Value {
        let agent = self.agent_id.as_ref();
        let common = json!({
            "phone_number": self.phone_number,
            "label": self.label,
            "supports_inbound": self.supports_inbound,
            "supports_outbound": self.supports_outbound,
            "phone_number_id": self.phone_number_id,
            "assigned_agent": agent.map(|id| json!({"agent_id": id, "agent_name": "Simulated agent"})),
            "provider": self.provider,
        });
        let of_trunk = json!({
            "outbound_trunk": {
                "address": "127.0.0.1",
                "transport": "tcp",
                "media_encryption": "allowed",
                "headers": {},
                "has_auth_credentials": false,
                "username": null,
                "has_outbound_trunk": self.supports_outbound,
            },
            "inbound_trunk": null,
            "livekit_stack": "standard",
        });
        let more = (self.provider == NumberProvider::SipTrunk).then_some(of_trunk);
        let fields = [Some(common), more].into_iter().flatten();
        let fields = fields.filter_map(|part| part.as_object().cloned()).flatten();
        Value::Object(fields.collect())
    }
}

/// A webhook of the workspace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorkspaceWebhook {
    /// Its id.
    pub webhook_id: String,
    /// Its name in the dashboard.
    #[serde(default)]
    pub name: String,
    /// Where it is posted, as the list shows it. The simulator posts to `--webhook-url` all the same.
    #[serde(default)]
    pub webhook_url: String,
    /// Switched off by a person.
    #[serde(default)]
    pub is_disabled: bool,
    /// Switched off by the provider after failures.
    #[serde(default)]
    pub is_auto_disabled: bool,
    /// HTTP status of the last failure.
    #[serde(default)]
    pub most_recent_failure_error_code: Option<i64>,
    /// When it failed last, in Unix seconds.
    #[serde(default)]
    pub most_recent_failure_timestamp: Option<i64>,
}

impl WorkspaceWebhook {
    /// The provider's `WorkspaceWebhookResponseModel`.
    pub(super) fn json(&self) -> Value {
        json!({
            "name": self.name,
            "webhook_id": self.webhook_id,
            "webhook_url": self.webhook_url,
            "is_disabled": self.is_disabled,
            "is_auto_disabled": self.is_auto_disabled,
            "created_at_unix": 1_760_000_000,
            "auth_type": "hmac",
            "usage": null,
            "most_recent_failure_error_code": self.most_recent_failure_error_code,
            "most_recent_failure_timestamp": self.most_recent_failure_timestamp,
        })
    }
}

/// Settings of all agents.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// The webhook that reports are posted to.
    pub post_call_webhook_id: Option<String>,
    /// The reports that are posted.
    pub events: Vec<String>,
    /// The initiation webhook.
    pub initiation_url: Option<String>,
    /// Its static headers: a value, or `{"secret_id": ...}`.
    pub initiation_headers: BTreeMap<String, Value>,
}

impl Settings {
    /// The answer of `GET /v1/convai/settings` (facts page, sections 3 and 5).
    pub(super) fn json(&self) -> Value {
        let initiation = self
            .initiation_url
            .as_ref()
            .map(|url| json!({"url": url, "request_headers": self.initiation_headers}));
        json!({
            "conversation_initiation_client_data_webhook": initiation,
            "webhooks": {
                "post_call_webhook_id": self.post_call_webhook_id,
                "events": self.events,
                "transcript_format": "json",
            },
            "can_use_mcp_servers": false,
        })
    }
}

/// The account; see the table above.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[allow(missing_docs)] // The table says it.
pub struct Account {
    pub tier: String,
    pub status: String,
    pub can_use_instant_voice_cloning: bool,
    pub voice_slots: Option<u32>,
    pub max_voice_add_edits: Option<u64>,
    pub character_count: Option<u64>,
    pub character_limit: u64,
    pub agents: Option<Vec<String>>,
    pub voices: Option<Vec<String>>,
    pub phone_numbers: Option<Vec<PhoneNumber>>,
    pub webhooks: Option<Vec<WorkspaceWebhook>>,
    pub settings: Option<Settings>,
}

impl Default for Account {
    fn default() -> Self {
        Self {
            tier: "creator".to_owned(),
            status: "active".to_owned(),
            can_use_instant_voice_cloning: true,
            voice_slots: None,
            max_voice_add_edits: None,
            character_count: None,
            character_limit: 1_000_000_000,
            agents: None,
            voices: None,
            phone_numbers: None,
            webhooks: None,
            settings: None,
        }
    }
}

impl Account {
    /// Says what is wrong with an account that was told.
    pub(super) fn check(&self) -> Result<(), String> {
        let length = |list: Option<usize>| list.unwrap_or(0);
        let lists = [
            length(self.agents.as_ref().map(Vec::len)),
            length(self.voices.as_ref().map(Vec::len)),
            length(self.phone_numbers.as_ref().map(Vec::len)),
            length(self.webhooks.as_ref().map(Vec::len)),
            length(self.settings.as_ref().map(|settings| settings.events.len())),
        ];
        if lists.iter().any(|length| *length > MOST_ENTRIES) {
            return Err(format!("a list has at most {MOST_ENTRIES} entries"));
        }
        if self.voice_slots.is_some_and(|slots| slots > super::options::MOST_VOICE_SLOTS) {
            return Err(format!("there are at most {} voice slots", super::options::MOST_VOICE_SLOTS));
        }
        let events = self.settings.as_ref().map(|settings| settings.events.as_slice()).unwrap_or_default();
        match events.iter().find(|event| !EVENTS.contains(&event.as_str())) {
            Some(unknown) => {
                Err(format!("there is no event {unknown:?}; the events are {}", EVENTS.join(", ")))
            }
            None => Ok(()),
        }
    }

    /// Whether an agent of this id exists.
    pub(super) fn has_agent(&self, id: &str) -> bool {
        self.agents.as_ref().is_none_or(|agents| agents.iter().any(|known| known == id))
    }

    /// The number of this id.
    pub(super) fn phone_number(&self, id: &str) -> Option<PhoneNumber> {
        match &self.phone_numbers {
            None => Some(PhoneNumber::named(id)),
            Some(numbers) => numbers.iter().find(|number| number.phone_number_id == id).cloned(),
        }
    }

    /// The webhooks that the workspace has.
    pub(super) fn webhooks(&self, own: Option<&Target>) -> Vec<WorkspaceWebhook> {
        let own = own.map(|target| WorkspaceWebhook {
            webhook_id: OWN_WEBHOOK.to_owned(),
            name: "Simulated webhook".to_owned(),
            webhook_url: target.url.as_str().to_owned(),
            is_disabled: false,
            is_auto_disabled: false,
            most_recent_failure_error_code: None,
            most_recent_failure_timestamp: None,
        });
        self.webhooks.clone().unwrap_or_else(|| own.into_iter().collect())
    }

    /// The settings of all agents.
    pub(super) fn settings(&self, own: Option<&Target>, initiation: Option<&Target>) -> Settings {
        self.settings.clone().unwrap_or_else(|| Settings {
            post_call_webhook_id: own.map(|_| OWN_WEBHOOK.to_owned()),
            events: OWN_EVENTS.map(str::to_owned).to_vec(),
            initiation_url: initiation.map(|target| target.url.as_str().to_owned()),
            initiation_headers: BTreeMap::from([(
                "X-Initiation-Secret".to_owned(),
                json!({"secret_id": "secret_simulated"}),
            )]),
        })
    }

    /// Whether the provider posts this event.
    pub(super) fn posts(&self, event: &str, own: &Target) -> bool {
        if self.settings.is_none() && self.webhooks.is_none() {
            return true;
        }
        let settings = self.settings(Some(own), None);
        let Some(id) = &settings.post_call_webhook_id else { return false };
        let is_on = |webhook: &WorkspaceWebhook| {
            webhook.webhook_id == *id && !webhook.is_disabled && !webhook.is_auto_disabled
        };
        settings.events.iter().any(|wanted| wanted == event) && self.webhooks(Some(own)).iter().any(is_on)
    }
}
