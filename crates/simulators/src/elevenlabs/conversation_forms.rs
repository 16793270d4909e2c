//! The three JSON forms of a conversation: in full, as the data of a webhook, as an item of a list.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::conversation::{Authorization, Carrier, Conversation, Status, Telephony};
use super::dialogue::{Role, transcript};
use super::report_script::CallResult;

impl Conversation {
    /// The `data` of `post_call_transcription`. The `has_*audio` flags are absent, as they were in the real body.
    pub(crate) fn webhook_data(&self) -> Map<String, Value> {
        let is_final = self.status.is_final();
        let analysis = is_final.then(|| self.about.report.analysis(self.call_successful()));
        let data = json!({
            "agent_id": self.about.agent_id,
            "conversation_id": self.id,
            "status": self.status.name(),
            "user_id": self.user_id(),
            "branch_id": null,
            "transcript": transcript(&self.about.agent_id, &self.turns, self.length, self.about.report.multivoice),
            "metadata": self.metadata(),
            "analysis": analysis,
            "conversation_initiation_client_data": self.client_data_echo(),
        });
        match data {
            Value::Object(data) => data,
            _ => Map::new(),
        }
    }

    /// The provider's `GetConversationResponseModel`.
    pub fn full(&self) -> Value {
        let mut full = self.webhook_data();
        let has_audio = self.status == Status::Done;
        let users = self.turns.iter().filter(|spoken| spoken.turn.role == Role::User).count();
        for (name, value) in [
            ("agent_name", json!("Simulated agent")),
            ("has_audio", json!(has_audio)),
            ("has_user_audio", json!(has_audio)),
            ("has_response_audio", json!(has_audio)),
            ("has_auxiliary_audio", json!(false)),
            ("version_id", Value::Null),
            ("environment", json!("production")),
            ("tag_ids", json!([])),
            ("user_message_count", json!(users)),
        ] {
            full.insert(name.to_owned(), value);
        }
        Value::Object(full)
    }

    /// The provider's `ConversationSummaryResponseModel`.
    pub fn summary(&self) -> Value {
        json!({
            "agent_id": self.about.agent_id,
            "branch_id": null,
            "version_id": null,
            "agent_name": "Simulated agent",
            "conversation_id": self.id,
            "start_time_unix_secs": self.start_unix(),
            "call_duration_secs": self.seconds(),
            "message_count": self.turns.len(),
            "status": self.status.name(),
            "termination_reason": self.termination_reason(),
            "call_successful": self.call_successful(),
            "transcript_summary": null,
            "call_summary_title": null,
            "main_language": "en",
            "conversation_initiation_source": self.source(),
            "tool_names": [],
            "direction": self.is_phone_call().then(|| self.about.direction.name()),
            "rating": null,
        })
    }

    fn metadata(&self) -> Value {
        let error = self.ending.as_ref().and_then(|ending| ending.error.as_ref());
        let mut metadata = json!({
            "start_time_unix_secs": self.start_unix(),
            "accepted_time_unix_secs": self.started_at.map(Timestamp::as_second),
            "call_duration_secs": self.seconds(),
            "cost": self.seconds().saturating_mul(6),
            "cost_fiat": self.about.report.cost_fiat,
            "deletion_settings": {
                "deletion_time_unix_secs": null,
                "deleted_logs_at_time_unix_secs": null,
                "deleted_audio_at_time_unix_secs": null,
                "deleted_transcript_at_time_unix_secs": null,
                "delete_transcript_and_pii": false,
                "delete_audio": false,
            },
            "feedback": {"type": null, "overall_score": null, "likes": 0, "dislikes": 0, "rating": null,
                         "comment": null},
            "authorization_method": self.authorization(),
            "charging": {"dev_discount": false, "is_burst": false, "tier": "creator", "llm_price": 0.0023,
                         "llm_charge": 10, "call_charge": self.seconds().saturating_mul(6)},
            "phone_call": self.phone_call(),
            "batch_call": null,
            "termination_reason": self.termination_reason(),
            "error": error.map(|(code, reason)| json!({"code": code, "reason": reason})),
            "warnings": [],
            "main_language": "en",
            "text_only": self.text_only,
            "conversation_initiation_source": self.source(),
            "initiation_trigger": {"trigger_type": "default"},
        });
        if let (Some(wait), Some(fields)) = (self.queue_wait, metadata.as_object_mut()) {
            // In the provider's SDK, not in its OpenAPI file (facts page, section 7).
            fields.insert("queue_wait_secs".to_owned(), json!(wait.as_secs()));
        }
        metadata
    }

    fn is_phone_call(&self) -> bool {
        matches!(self.about.carrier, Carrier::Phone(_))
    }

    fn authorization(&self) -> &'static str {
        match self.about.carrier {
            Carrier::Phone(_) => "authorization_header",
            Carrier::Socket(Authorization::Public) => "public",
            Carrier::Socket(Authorization::SignedUrl) => "signed_url",
        }
    }

    fn phone_call(&self) -> Value {
        let about = &self.about;
        let told = about.report.call_result;
        match about.carrier {
            Carrier::Socket(_) => Value::Null,
            Carrier::Phone(Telephony::SipTrunk) => json!({
                "type": "sip_trunking",
                "direction": about.direction.name(),
                "phone_number_id": about.phone_number_id,
                "agent_number": about.agent_number,
                "external_number": about.external_number,
                "call_sid": about.call_sid,
                "call_id": null,
                "call_result": told.or(self.started_at.map(|_| CallResult::Answered)),
                "sip_header_dynamic_variables": {},
            }),
            Carrier::Phone(Telephony::Twilio) => json!({
                "type": "twilio",
                "direction": about.direction.name(),
                "phone_number_id": about.phone_number_id,
                "agent_number": about.agent_number,
                "external_number": about.external_number,
                "stream_sid": self.stream_sid,
                "call_sid": about.call_sid,
                "call_result": told,
            }),
        }
    }

    /// The client data as the agent took it, with missing fields as null and with the provider's variables.
    fn client_data_echo(&self) -> Value {
        let mut echo = Map::new();
        for (name, value) in [
            ("custom_llm_extra_body", json!({})),
            ("user_id", Value::Null),
            ("source_info", json!({"source": null, "version": null})),
        ] {
            echo.insert(name.to_owned(), value);
        }
        let given = &self.about.client_data;
        for (name, value) in given.iter().filter(|(name, value)| *name != "type" && !value.is_null()) {
            echo.insert(name.clone(), value.clone());
        }
        let mut overrides = Map::new();
        for name in ["agent", "tts", "turn", "conversation"] {
            overrides.insert(name.to_owned(), Value::Null);
        }
        if let Some(given) = given.get("conversation_config_override").and_then(Value::as_object) {
            overrides.extend(given.clone());
        }
        echo.insert("conversation_config_override".to_owned(), Value::Object(overrides));
        echo.insert("dynamic_variables".to_owned(), Value::Object(self.variables()));
        Value::Object(echo)
    }
}
