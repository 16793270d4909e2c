//! A text spoken once, as bytes that a telephone plays without conversion. For what is prepared before any call; what an
//! agent says in a call never comes this way.

use std::time::Duration;

use awc::http::Method;
use bytes::Bytes;
use precall_call::VoiceId;
use serde_json::{Map, Value, json};

use super::client::{ApiRequest, ApiResponse, ElevenLabs, RequestBody};
use super::error::{ProviderError, ProviderErrorKind};

/// Ten minutes of 16 bit samples, 8,000 a second.
pub const SPEECH_BYTES_MAX: usize = 600 * 8_000 * 2;
/// Raw samples without a header; it must stand in the query, since in the body it is ignored without a word (ElevenLabs
/// facts, section 2).
const FORMAT: &str = "pcm_8000";

/// What is to be said.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Speech {
    /// The words. The models take 10,000 characters and more.
    pub text: String,
    /// Who says them.
    pub voice: VoiceId,
    /// Which model; none leaves the provider's default (`eleven_multilingual_v2`).
    pub model: Option<String>,
    /// ISO 639-1. Sent only with a named model that knows languages; the multilingual ones hear it from the text.
    pub language: Option<String>,
}

impl Speech {
    /// The language as it is sent: a default model is a multilingual one, and those do not take it (OpenAPI,
    /// `Body_text_to_speech_full`). A region is left out.
    fn language_code(&self) -> Option<&str> {
        let model = self.model.as_deref()?;
        if model.contains("multilingual_v") {
            return None;
        }
        self.language.as_deref().and_then(|language| language.split(['-', '_']).next())
    }
}

/// The JSON of `POST /v1/text-to-speech/{voice_id}`.
#[must_use]
pub fn speech_body(speech: &Speech) -> Value {
    let mut body = Map::new();
    body.insert("text".to_owned(), json!(speech.text));
    if let Some(model) = &speech.model {
        body.insert("model_id".to_owned(), json!(model));
    }
    if let Some(language) = speech.language_code() {
        body.insert("language_code".to_owned(), json!(language));
    }
    Value::Object(body)
}

impl ElevenLabs {
    /// `POST /v1/text-to-speech/{voice_id}?output_format=pcm_8000`: signed 16 bit little endian samples, one channel, 8,000
    /// a second, at most [`SPEECH_BYTES_MAX`] bytes. It may be asked again; each time costs characters.
    ///
    /// # Errors
    /// As [`ProviderError`] says; an answer that is something else than such samples is garbled.
    pub async fn speak(&self, speech: &Speech, within: Duration) -> Result<Bytes, ProviderError> {
        let mut url = self.settings().endpoint(&["v1", "text-to-speech", speech.voice.as_str()]);
        url.query_pairs_mut().append_pair("output_format", FORMAT);
        let body = RequestBody::JsonForAudio(Bytes::from(speech_body(speech).to_string()));
        let request =
            ApiRequest { method: Method::POST, url, body, answer_bytes_max: SPEECH_BYTES_MAX, within };
        let answer = self.send(request).await.map_err(about_speech)?;
        check(&answer)?;
        Ok(answer.body)
    }
}

/// No recording was sent, so a refusal is about the text or the settings.
fn about_speech(error: ProviderError) -> ProviderError {
    match error.kind {
        ProviderErrorKind::SampleRefused => ProviderError { kind: ProviderErrorKind::Invalid, ..error },
        _ => error,
    }
}

/// A caller would hear anything else as noise. The content type says little: the OpenAPI file promises `audio/mpeg` for
/// every format, the wire said `audio/pcm`.
fn check(answer: &ApiResponse) -> Result<(), ProviderError> {
    let wrong = |message: &str| Err(ProviderError::garbled(answer.status, message));
    let said = answer.content_type.split(';').next().unwrap_or_default().trim();
    if said == "application/json" || said.starts_with("text/") {
        return wrong("the answer is text and not sound");
    }
    let body = answer.body.as_ref();
    let containers: [&[u8]; 5] = [b"RIFF", b"ID3", b"OggS", b"fLaC", b"{"];
    // The first bytes of an MP3 frame are also two quiet samples, so they count only where MP3 was announced.
    let is_mp3 = said == "audio/mpeg" && matches!(body, [0xff, second, ..] if second & 0xe0 == 0xe0);
    if is_mp3 || containers.iter().any(|magic| body.starts_with(magic)) {
        return wrong("the answer is not in the format that was asked for");
    }
    if body.is_empty() {
        return wrong("the answer is empty");
    }
    if !body.len().is_multiple_of(2) {
        return wrong("the answer ends in the middle of a sample");
    }
    Ok(())
}

#[cfg(test)]
mod tests;
