//! Voices of the account: clone from a sample, find by name, delete.

use std::time::Duration;

use awc::http::Method;
use precall_call::VoiceId;
use serde::Deserialize;

use super::client::{ApiRequest, ElevenLabs, RequestBody};
use super::error::{ProviderError, ProviderErrorKind};
use super::pages::{PAGE_SIZE, Page};
use super::request_body::add_voice_body;
use super::requests::AddVoice;
use crate::lenient::Scalar;
use crate::request_watch::Endpoint;

const SMALL_ANSWER_BYTES_MAX: usize = 256 * 1024;
/// A thousand voices: only the largest plan has more slots.
const PAGES_MAX: usize = 10;

/// A cloned voice. It holds a slot even if it cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VoiceAdded {
    /// Its id.
    pub voice: VoiceId,
    /// Whether an agent can speak with it.
    pub usable: VoiceUse,
}

/// Whether a new voice can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VoiceUse {
    /// Usable at once.
    Ready,
    /// `requires_verification`: the sample resembles a protected voice. precall treats it as no voice.
    NeedsVerification,
}

/// A voice of the account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VoiceSummary {
    /// Its id.
    pub voice: VoiceId,
    /// Its name.
    pub name: String,
    /// Creation time in seconds since 1970; the provider leaves it out for some voices.
    pub created_at_unix: Option<i64>,
}

/// Voices found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VoiceList {
    /// In the provider's order. The provider's search matches more than the name.
    pub voices: Vec<VoiceSummary>,
    /// False if there are more than 1,000; then a missing voice may still exist.
    pub complete: bool,
}

/// Result of a deletion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VoiceDeleted {
    /// This request deleted the voice.
    Now,
    /// The voice did not exist (404).
    Earlier,
}

#[derive(Deserialize)]
struct AddedAnswer {
    voice_id: String,
    #[serde(default)]
    requires_verification: bool,
    #[serde(default)]
    library_voice_match: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
struct VoicesPage {
    voices: Vec<VoiceItem>,
    #[serde(default)]
    has_more: bool,
    #[serde(default)]
    next_page_token: Option<String>,
}

impl Page for VoicesPage {
    type Item = VoiceItem;
    const NEXT_PARAMETER: &'static str = "next_page_token";

    fn into_parts(self) -> (Vec<VoiceItem>, bool, Option<String>) {
        (self.voices, self.has_more, self.next_page_token)
    }
}

#[derive(Deserialize)]
struct VoiceItem {
    voice_id: String,
    #[serde(default)]
    name: Scalar,
    #[serde(default)]
    created_at_unix: Scalar,
}

impl ElevenLabs {
    /// `POST /v1/voices/add`. Not idempotent: after [`Execution::Maybe`](super::error::Execution::Maybe) search by name
    /// first.
    ///
    /// The form shares the sample's bytes, so retries make no copy; the connection takes 64 KiB at a time.
    ///
    /// # Errors
    /// [`ProviderError`].
    pub async fn add_voice(&self, voice: &AddVoice, within: Duration) -> Result<VoiceAdded, ProviderError> {
        let url = self.settings().endpoint(&["v1", "voices", "add"]);
        let body = RequestBody::Form(add_voice_body(voice));
        let request = ApiRequest {
            endpoint: Endpoint::AddVoice,
            method: Method::POST,
            url,
            body,
            answer_bytes_max: SMALL_ANSWER_BYTES_MAX,
            within,
        };
        let answer = self.send_once(request, voice.trace).await?;
        let added: AddedAnswer = answer.json()?;
        if added.voice_id.is_empty() {
            return Err(ProviderError::garbled(answer.status, "the answer holds an empty voice_id"));
        }
        let protected = added.requires_verification || added.library_voice_match.is_some();
        let usable = if protected { VoiceUse::NeedsVerification } else { VoiceUse::Ready };
        Ok(VoiceAdded { voice: VoiceId::new(added.voice_id), usable })
    }

    /// `GET /v2/voices?search=`: all pages up to 1,000 voices, under one deadline. The caller compares the names.
    ///
    /// # Errors
    /// [`ProviderError`].
    pub async fn voices_named(&self, search: &str, within: Duration) -> Result<VoiceList, ProviderError> {
        let mut url = self.settings().endpoint(&["v2", "voices"]);
        url.query_pairs_mut().append_pair("search", search).append_pair("page_size", PAGE_SIZE);
        let pages = self.read_pages::<VoicesPage>(Endpoint::Voices, url, PAGES_MAX, within).await?;
        let voices = pages.items.into_iter().map(VoiceSummary::from).collect();
        Ok(VoiceList { voices, complete: pages.complete })
    }

    /// `DELETE /v1/voices/{voice_id}`. A voice that does not exist counts as deleted.
    ///
    /// # Errors
    /// [`ProviderError`], except `NotFound`.
    pub async fn delete_voice(
        &self,
        voice: &VoiceId,
        within: Duration,
    ) -> Result<VoiceDeleted, ProviderError> {
        let url = self.settings().endpoint(&["v1", "voices", voice.as_str()]);
        let answer_bytes_max = SMALL_ANSWER_BYTES_MAX;
        let request = ApiRequest {
            endpoint: Endpoint::DeleteVoice,
            method: Method::DELETE,
            url,
            body: RequestBody::Empty,
            answer_bytes_max,
            within,
        };
        match self.send(request).await {
            Ok(_) => Ok(VoiceDeleted::Now),
            Err(error) if error.kind == ProviderErrorKind::NotFound => Ok(VoiceDeleted::Earlier),
            Err(error) => Err(error),
        }
    }
}

impl From<VoiceItem> for VoiceSummary {
    fn from(item: VoiceItem) -> Self {
        Self {
            voice: VoiceId::new(item.voice_id),
            created_at_unix: item.created_at_unix.integer(),
            name: item.name.into_text().unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests;
