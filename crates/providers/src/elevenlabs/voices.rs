//! Voices of the account: made from a sample, found by name, deleted.

use std::time::Duration;

use awc::http::Method;
use precall_call::VoiceId;
use serde::Deserialize;

use super::client::{Ask, ElevenLabs, Outgoing};
use super::error::{ProviderError, ProviderErrorKind};
use super::pages::{PAGE_SIZE, Page};
use super::request_body::add_voice_body;
use super::requests::AddVoice;
use crate::lenient::Scalar;

const SMALL_ANSWER_BYTES_MAX: usize = 256 * 1024;
/// A thousand voices: more than any plan but the largest has slots.
const PAGES_MAX: usize = 10;

/// A voice that was made. It holds a slot whether it can be used or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VoiceAdded {
    /// Its id.
    pub voice: VoiceId,
    /// Whether an agent may speak with it.
    pub usable: VoiceUse,
}

/// Whether a new voice can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VoiceUse {
    /// At once.
    Ready,
    /// `requires_verification`: the sample resembles a protected voice. As good as no voice.
    NeedsVerification,
}

/// A voice of the account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VoiceSummary {
    /// Its id.
    pub voice: VoiceId,
    /// Its name.
    pub name: String,
    /// When it was made, in seconds since 1970; the provider does not know it of every voice.
    pub created_at_unix: Option<i64>,
}

/// Voices found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VoiceList {
    /// As the provider orders them. The search is the provider's, which looks at more than the name.
    pub voices: Vec<VoiceSummary>,
    /// False if there are more than a thousand: then absence proves nothing.
    pub complete: bool,
}

/// A voice is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VoiceDeleted {
    /// By this request.
    Now,
    /// Before it.
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
    /// `POST /v1/voices/add`. Not idempotent: after [`Execution::Maybe`](super::error::Execution::Maybe) search for the name first.
    ///
    /// The sample is in memory once, however often it is sent: the form refers to its bytes, and the connection takes 64 KiB of
    /// them at a time, as the provider reads.
    ///
    /// # Errors
    /// As [`ProviderError`] says.
    pub async fn add_voice(&self, voice: &AddVoice, within: Duration) -> Result<VoiceAdded, ProviderError> {
        let url = self.settings().endpoint(&["v1", "voices", "add"]);
        let outgoing = Outgoing::Form(add_voice_body(voice));
        let ask =
            Ask { method: Method::POST, url, outgoing, answer_bytes_max: SMALL_ANSWER_BYTES_MAX, within };
        let answer = self.exchange(ask).await?;
        let added: AddedAnswer = answer.json()?;
        if added.voice_id.is_empty() {
            return Err(ProviderError::garbled(answer.status, "the answer holds an empty voice_id"));
        }
        let protected = added.requires_verification || added.library_voice_match.is_some();
        let usable = if protected { VoiceUse::NeedsVerification } else { VoiceUse::Ready };
        Ok(VoiceAdded { voice: VoiceId::new(added.voice_id), usable })
    }

    /// `GET /v2/voices?search=`, all pages up to a thousand voices, under one deadline. The caller compares names itself.
    ///
    /// # Errors
    /// As [`ProviderError`] says.
    pub async fn voices_named(&self, search: &str, within: Duration) -> Result<VoiceList, ProviderError> {
        let mut url = self.settings().endpoint(&["v2", "voices"]);
        url.query_pairs_mut().append_pair("search", search).append_pair("page_size", PAGE_SIZE);
        let pages = self.read_pages::<VoicesPage>(url, PAGES_MAX, within).await?;
        let voices = pages.items.into_iter().map(VoiceSummary::from).collect();
        Ok(VoiceList { voices, complete: pages.complete })
    }

    /// `DELETE /v1/voices/{voice_id}`. A voice that is not there is deleted.
    ///
    /// # Errors
    /// As [`ProviderError`] says, except for 404.
    pub async fn delete_voice(
        &self,
        voice: &VoiceId,
        within: Duration,
    ) -> Result<VoiceDeleted, ProviderError> {
        let url = self.settings().endpoint(&["v1", "voices", voice.as_str()]);
        let answer_bytes_max = SMALL_ANSWER_BYTES_MAX;
        let ask = Ask { method: Method::DELETE, url, outgoing: Outgoing::Nothing, answer_bytes_max, within };
        match self.exchange(ask).await {
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
