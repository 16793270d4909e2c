//! Text to speech, as samples that a leg plays without conversion. For audio that is prepared before a call; an agent's
//! audio comes over its WebSocket.

use std::time::Duration;

use awc::http::Method;
use bytes::Bytes;
use precall_call::VoiceId;
use serde_json::{Map, Value, json};

use super::client::{ApiRequest, ApiResponse, ElevenLabs, RequestBody};
use super::error::{ProviderError, ProviderErrorKind};
use crate::request_watch::Endpoint;

/// Ten minutes of 16-bit samples at 8,000 per second.
const SPEECH_BYTES_MAX: usize = 600 * 8_000 * 2;
/// Raw samples without a header. A query parameter: in the body the provider ignores it silently (ElevenLabs facts,
/// section 2).
const FORMAT: &str = "pcm_8000";

/// A text to speak.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Speech {
    /// The text. The models accept 10,000 characters and more.
    pub text: String,
    /// The voice.
    pub voice: VoiceId,
    /// The model; none = the provider's default (`eleven_multilingual_v2`).
    pub model: Option<String>,
    /// ISO 639-1. Sent only with a named model that accepts it; the multilingual models detect the language.
    pub language: Option<String>,
}

impl Speech {
    /// The language code to send, without region. None for the default and the multilingual models, which do not accept
    /// it (OpenAPI, `Body_text_to_speech_full`).
    fn language_code(&self) -> Option<&str> {
        let model = self.model.as_deref()?;
        if model.contains("multilingual_v") {
            return None;
        }
        self.language.as_deref().and_then(|language| language.split(['-', '_']).next())
    }
}

/// JSON of `POST /v1/text-to-speech/{voice_id}`.
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
    /// `POST /v1/text-to-speech/{voice_id}?output_format=pcm_8000`: signed 16-bit little-endian samples, mono, 8,000
    /// per second, at most ten minutes. May be repeated; each request costs characters.
    ///
    /// # Errors
    /// [`ProviderError`]; a response in another format is `Garbled`.
    pub async fn speak(&self, speech: &Speech, within: Duration) -> Result<Bytes, ProviderError> {
        let mut url = self.settings().endpoint(&["v1", "text-to-speech", speech.voice.as_str()]);
        url.query_pairs_mut().append_pair("output_format", FORMAT);
        let body = RequestBody::JsonForAudio(Bytes::from(speech_body(speech).to_string()));
        let request = ApiRequest {
            endpoint: Endpoint::Speech,
            method: Method::POST,
            url,
            body,
            answer_bytes_max: SPEECH_BYTES_MAX,
            within,
        };
        let answer = self.send(request).await.map_err(speech_error)?;
        check(&answer)?;
        Ok(answer.body)
    }
}

/// No sample was sent, so such a refusal is about the text or the settings.
fn speech_error(error: ProviderError) -> ProviderError {
    match error.kind {
        ProviderErrorKind::SampleRefused => ProviderError { kind: ProviderErrorKind::Invalid, ..error },
        _ => error,
    }
}

/// Rejects other formats, which a caller would hear as noise. The content type is not reliable: the OpenAPI file says
/// `audio/mpeg` for every format, captured responses say `audio/pcm`.
fn check(answer: &ApiResponse) -> Result<(), ProviderError> {
    let wrong = |message: &str| Err(ProviderError::garbled(answer.status, message));
    let said = answer.content_type.split(';').next().unwrap_or_default().trim();
    if said == "application/json" || said.starts_with("text/") {
        return wrong("the answer is text, not audio");
    }
    let body = answer.body.as_ref();
    let containers: [&[u8]; 5] = [b"RIFF", b"ID3", b"OggS", b"fLaC", b"{"];
    // The first bytes of an MP3 frame can also be two quiet samples, so they count only with MP3 as content type.
    let is_mp3 = said == "audio/mpeg" && matches!(body, [0xff, second, ..] if second & 0xe0 == 0xe0);
    if is_mp3 || containers.iter().any(|magic| body.starts_with(magic)) {
        return wrong("the answer is not in the requested format");
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
