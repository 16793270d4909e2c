//! The provider of voices and agents.

use serde::Deserialize;

use super::base_url::BaseUrl;
use super::problem::Problems;
use super::secret::Secret;
use super::value::{Read, Word, words};
use super::values::Values;
use super::variables::Section;

/// Which of the provider's two outbound-call endpoints dials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Telephony {
    /// `/v1/convai/sip-trunk/outbound-call`.
    SipTrunk,
    /// `/v1/convai/twilio/outbound-call`.
    Twilio,
}

words!(Telephony, "sip_trunk or twilio",
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
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    elevenlabs_api_key: Option<Read<Secret>>,
    elevenlabs_agent_id: Option<Read<Word>>,
    elevenlabs_phone_number_id: Option<Read<Word>>,
    elevenlabs_telephony: Read<Telephony>,
    elevenlabs_api_base: Read<BaseUrl>,
}

impl ElevenLabs {
    pub(super) fn read(
        values: &Values,
        route: Option<precall_call::Route>,
        problems: &mut Problems,
    ) -> Option<Self> {
        let raw: Raw = values.section(Section::Elevenlabs, problems)?;
        let api_key = problems.required(
            "ELEVENLABS_API_KEY",
            raw.elevenlabs_api_key,
            "an API key of the ElevenLabs account",
        );
        let agent_id =
            problems.required("ELEVENLABS_AGENT_ID", raw.elevenlabs_agent_id, "the id of the voice agent");
        let phone_number_id = if route == Some(precall_call::Route::Callback) {
            let right = "the id of the agent's phone number, which CALL_ROUTE=callback dials from";
            problems.required("ELEVENLABS_PHONE_NUMBER_ID", raw.elevenlabs_phone_number_id, right).map(Some)
        } else {
            problems.optional("ELEVENLABS_PHONE_NUMBER_ID", raw.elevenlabs_phone_number_id)
        };
        let telephony = problems.value("ELEVENLABS_TELEPHONY", raw.elevenlabs_telephony);
        let api_base = problems.value("ELEVENLABS_API_BASE", raw.elevenlabs_api_base);
        Some(Self {
            api_key: api_key?,
            api_base: api_base?.without_last("v1"),
            agent_id: agent_id?.0,
            phone_number_id: phone_number_id?.map(|Word(id)| id),
            telephony: telephony?,
        })
    }
}
