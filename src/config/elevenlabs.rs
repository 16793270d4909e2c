//! The ElevenLabs account: its key, its agent, the number that dials.

use std::time::Duration;

use precall_call::Route;

use super::base_url::BaseUrl;
use super::problem::Problems;
use super::secret::Secret;
use super::section::Section;
use super::setting::variables;
use super::value::numbers::Seconds;
use super::value::{Word, words};
use super::values::Values;
use super::variables::DefaultValue::Text;
use super::variables::{Probed, Required, Restart};

variables! { Section::Elevenlabs;
    elevenlabs_api_key: Secret {
        restart: Restart::NotNeeded,
        probed: Probed::By("ElevenLabs account"),
        required: Required::Yes,
        example: "CHANGE_ME",
        help: "API key of the ElevenLabs account.",
        note: "precall sends it as the header xi-api-key.",
    }
    elevenlabs_agent_id: Word {
        restart: Restart::NotNeeded,
        probed: Probed::By("ElevenLabs agent"),
        required: Required::Yes,
        example: "agent_CHANGE_ME",
        help: "Id of the voice agent of the default line.",
        note: "The security settings of the agent must allow overrides of the voice and of the first message.",
    }
    elevenlabs_phone_number_id: Word {
        restart: Restart::NotNeeded,
        probed: Probed::By("ElevenLabs phone number"),
        required: Required::When("when CALL_ROUTE is callback"),
        example: "phnum_CHANGE_ME",
        help: "Id of the phone number of the account that dials callers.",
    }
    elevenlabs_telephony: Telephony {
        probed: Probed::By("ElevenLabs phone number"),
        default: Text("sip_trunk"),
        help: "How that phone number is connected to ElevenLabs.",
    }
    elevenlabs_api_base: BaseUrl {
        probed: Probed::By("ElevenLabs account"),
        default: Text("https://api.elevenlabs.io"),
        help: "Address of the ElevenLabs API, with or without /v1.",
        note: "Must be https, except for loopback. Data residency regions have their own addresses.",
    }
    elevenlabs_probe_seconds: Seconds<1, 3600> {
        default: Text("60"),
        help: "Time between two probes of ElevenLabs (account and agent), on average.",
        note: "/health shows a failed probe.",
    }
}

/// Which of the two outbound-call endpoints of ElevenLabs dials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Telephony {
    /// `/v1/convai/sip-trunk/outbound-call`.
    SipTrunk,
    /// `/v1/convai/twilio/outbound-call`.
    Twilio,
}

words!(Telephony,
    "sip_trunk" => Telephony::SipTrunk,
    "twilio" => Telephony::Twilio,
);

/// The account and the agent.
#[derive(Clone, Debug)]
pub struct ElevenLabs {
    /// `xi-api-key`.
    pub api_key: Secret,
    /// Without `/v1`.
    pub api_base: BaseUrl,
    /// The default line's agent.
    pub agent_id: String,
    /// Which number of the account dials; set on route `callback`.
    pub phone_number_id: Option<String>,
    /// How that number is connected.
    pub telephony: Telephony,
    /// Time between two probes.
    pub probe_every: Duration,
}

impl ElevenLabs {
    pub(super) fn read(values: &Values, route: Option<Route>, problems: &mut Problems) -> Option<Self> {
        let settings = Settings::read(values, problems)?;
        let api_key = settings.elevenlabs_api_key.required("an API key of the ElevenLabs account", problems);
        let agent_id = settings.elevenlabs_agent_id.required("the id of the voice agent", problems);
        let phone_number_id = if route == Some(Route::Callback) {
            let right = "the id of the agent's phone number, which CALL_ROUTE=callback dials from";
            settings.elevenlabs_phone_number_id.required(right, problems).map(Some)
        } else {
            settings.elevenlabs_phone_number_id.optional()
        };
        Some(Self {
            api_key: api_key?,
            api_base: settings.elevenlabs_api_base.value()?.without_last("v1"),
            agent_id: agent_id?.0,
            phone_number_id: phone_number_id?.map(|Word(id)| id),
            telephony: settings.elevenlabs_telephony.value()?,
            probe_every: settings.elevenlabs_probe_seconds.value()?.0,
        })
    }
}
