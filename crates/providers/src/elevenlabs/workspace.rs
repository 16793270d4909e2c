//! What exists in the workspace, for `precall check`: voices, telephone numbers, webhooks and the settings of all
//! agents. Only reads.

use std::time::Duration;

use awc::http::Method;
use serde::Deserialize;

use super::client::{ApiRequest, ElevenLabs, RequestBody};
use super::error::ProviderError;
use crate::lenient::{Lenient, Scalar};
use crate::request_watch::Endpoint;

const ANSWER_BYTES_MAX: usize = 4 * 1024 * 1024;

/// A telephone number of the workspace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PhoneNumber {
    /// `sip_trunk`, `twilio` ...; none if the provider left it out.
    pub provider: Option<String>,
}

/// A webhook of the workspace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkspaceWebhook {
    /// Its id.
    pub id: String,
    /// The address it calls.
    pub url: Option<String>,
    /// Switched off by a person.
    pub is_disabled: bool,
    /// Switched off by the provider after many failures.
    pub is_auto_disabled: bool,
    /// The status of the last failed delivery.
    pub last_failure: Option<i64>,
}

/// Webhooks of agents, as the workspace or one agent sets them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AgentWebhooks {
    /// The webhook that gets the reports.
    pub post_call: Option<String>,
    /// The events that are sent to it; none if the provider left them out.
    pub events: Option<Vec<String>>,
    /// The address that is asked at the start of a conversation.
    pub initiation_url: Option<String>,
}

#[derive(Deserialize)]
struct PhoneNumberAnswer {
    #[serde(default)]
    provider: Scalar,
}

#[derive(Deserialize)]
struct WebhooksAnswer {
    #[serde(default)]
    webhooks: Vec<WebhookAnswer>,
}

#[derive(Deserialize)]
struct WebhookAnswer {
    #[serde(default)]
    webhook_id: Scalar,
    #[serde(default)]
    webhook_url: Scalar,
    #[serde(default)]
    is_disabled: Scalar,
    #[serde(default)]
    is_auto_disabled: Scalar,
    #[serde(default)]
    most_recent_failure_error_code: Scalar,
}

/// The same shape in the settings of the workspace and in `workspace_overrides` of an agent.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct AgentWebhooksAnswer {
    webhooks: Lenient<PostCallAnswer>,
    conversation_initiation_client_data_webhook: Lenient<InitiationAnswer>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct PostCallAnswer {
    post_call_webhook_id: Scalar,
    events: Option<Vec<Scalar>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct InitiationAnswer {
    url: Scalar,
}

impl From<AgentWebhooksAnswer> for AgentWebhooks {
    fn from(said: AgentWebhooksAnswer) -> Self {
        let webhooks = said.webhooks.0;
        Self {
            post_call: webhooks.post_call_webhook_id.into_text(),
            events: webhooks.events.map(|events| events.into_iter().filter_map(Scalar::into_text).collect()),
            initiation_url: said.conversation_initiation_client_data_webhook.0.url.into_text(),
        }
    }
}

impl ElevenLabs {
    /// `GET /v1/voices/{voice_id}`: whether the voice exists.
    ///
    /// # Errors
    /// [`ProviderError`].
    pub async fn voice(&self, voice: &str, within: Duration) -> Result<(), ProviderError> {
        self.read(&["v1", "voices", voice], within).await.map(|_| ())
    }

    /// `GET /v1/convai/phone-numbers/{phone_number_id}`.
    ///
    /// # Errors
    /// [`ProviderError`].
    pub async fn phone_number(&self, id: &str, within: Duration) -> Result<PhoneNumber, ProviderError> {
        let answer = self.read(&["v1", "convai", "phone-numbers", id], within).await?;
        let said: PhoneNumberAnswer = answer.json()?;
        Ok(PhoneNumber { provider: said.provider.into_text() })
    }

    /// `GET /v1/workspace/webhooks`.
    ///
    /// # Errors
    /// [`ProviderError`].
    pub async fn webhooks(&self, within: Duration) -> Result<Vec<WorkspaceWebhook>, ProviderError> {
        let answer = self.read(&["v1", "workspace", "webhooks"], within).await?;
        let said: WebhooksAnswer = answer.json()?;
        let is_on = |flag: &Scalar| matches!(flag, Scalar::Truth(true));
        Ok(said
            .webhooks
            .into_iter()
            .map(|webhook| WorkspaceWebhook {
                is_disabled: is_on(&webhook.is_disabled),
                is_auto_disabled: is_on(&webhook.is_auto_disabled),
                last_failure: webhook.most_recent_failure_error_code.integer(),
                id: webhook.webhook_id.into_text().unwrap_or_default(),
                url: webhook.webhook_url.into_text(),
            })
            .collect())
    }

    /// `GET /v1/convai/settings`.
    ///
    /// # Errors
    /// [`ProviderError`].
    pub async fn agent_webhooks(&self, within: Duration) -> Result<AgentWebhooks, ProviderError> {
        let answer = self.read(&["v1", "convai", "settings"], within).await?;
        Ok(answer.json::<AgentWebhooksAnswer>()?.into())
    }

    async fn read(
        &self,
        path: &[&str],
        within: Duration,
    ) -> Result<super::client::ApiResponse, ProviderError> {
        let request = ApiRequest {
            endpoint: Endpoint::OtherOfElevenLabs,
            method: Method::GET,
            url: self.settings().endpoint(path),
            body: RequestBody::Empty,
            answer_bytes_max: ANSWER_BYTES_MAX,
            within,
        };
        self.send(request).await
    }
}
