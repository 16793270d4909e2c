//! Calls that the API client makes itself, and what it hears in them.

use std::io;
use std::time::Duration;

use awc::http::header::{ACCEPT, AUTHORIZATION};
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::LocalBoxStream;
use serde::Deserialize;
use serde_json::Value;

use super::action::{ActionOutcome, Destination};
use super::address::{Dn, LegAddress};
use super::client::{ApiPath, ThreeCx, bearer};
use super::error::{ThreeCxError, ThreeCxErrorKind};
use super::wire;
use crate::http_exchange::Execution;
use crate::lenient::Scalar;
use crate::request_watch::Endpoint;

/// A device has about 200 bytes.
const DEVICES_BYTES_MAX: usize = 256 * 1024;
/// Longest body of a refused stream that is read.
const REFUSAL_BYTES_MAX: usize = 16 * 1024;

#[derive(Default, Deserialize)]
#[serde(default)]
struct RawDevice {
    device_id: Scalar,
}

/// The audio of a leg: signed 16-bit samples, little-endian, mono, 8 kHz, in pieces of any size, odd sizes included
/// (3CX facts, section 1.5).
pub struct LegSound(LocalBoxStream<'static, io::Result<Bytes>>);

impl LegSound {
    /// The next piece; none at the end of the stream.
    ///
    /// # Errors
    /// When the connection breaks.
    pub async fn next(&mut self) -> Option<io::Result<Bytes>> {
        self.0.next().await
    }
}

impl ThreeCx {
    /// `GET /callcontrol/{dn}/devices`: the ids of the devices from which this DN can call.
    ///
    /// # Errors
    /// [`ThreeCxError`].
    pub async fn devices(&self, dn: &Dn) -> Result<Vec<String>, ThreeCxError> {
        let path = ["callcontrol", dn.as_str(), "devices"];
        self.get(ApiPath(Endpoint::OtherOfThreeCx, &path), DEVICES_BYTES_MAX, device_ids).await
    }

    /// `POST /callcontrol/{dn}/devices/{device}/makecall`: calls from this device. The result's participant is our own
    /// leg, which dials. Sent once: the call may have been made although the answer was lost.
    pub async fn make_call(&self, dn: &Dn, device: &str, destination: &Destination) -> ActionOutcome {
        let path = ["callcontrol", dn.as_str(), "devices", device, "makecall"];
        self.dial(dn, ApiPath(Endpoint::OtherOfThreeCx, &path), destination).await
    }

    /// `GET .../stream`: what the other side of this leg says. The PBX answers 404 or 424 until the media is there.
    /// Only the head of the answer has a deadline; the caller limits the rest.
    ///
    /// # Errors
    /// [`ThreeCxError`].
    pub async fn listen(&self, leg: &LegAddress) -> Result<LegSound, ThreeCxError> {
        let token = self.tokens().current().await?;
        let id = leg.participant.to_string();
        let url = self.settings().endpoint(&["callcontrol", leg.dn.as_str(), "participants", &id, "stream"]);
        // A connection of its own: it stays open as long as the call.
        let client = self.http_of_socket();
        let asked = client
            .get(url.as_str())
            .insert_header((AUTHORIZATION, bearer(&token)))
            .insert_header((ACCEPT, "application/octet-stream"))
            .send();
        let limit = self.settings().within();
        let late =
            |_| broken(ThreeCxErrorKind::Timeout, format!("no answer within {} ms", limit.as_millis()));
        let sent = tokio::time::timeout(limit, asked).await.map_err(late)?;
        let mut response =
            sent.map_err(|error| broken(ThreeCxErrorKind::Unreachable, self.redact(&error.to_string())))?;
        if !response.status().is_success() {
            let body = tokio::time::timeout(limit, response.body().limit(REFUSAL_BYTES_MAX)).await;
            let body = body.ok().and_then(Result::ok).unwrap_or_default();
            let said = self.redact(&String::from_utf8_lossy(&body));
            return Err(ThreeCxError::of_status(response.status().as_u16(), said));
        }
        let pieces = response.map(|piece| piece.map_err(io::Error::other));
        Ok(LegSound(pieces.boxed_local()))
    }
}

/// How long the media of a connected leg may take (3CX facts, section 5, item 20).
pub const MEDIA_WITHIN: Duration = Duration::from_secs(10);

fn broken(kind: ThreeCxErrorKind, message: String) -> ThreeCxError {
    ThreeCxError { kind, execution: Execution::SurelyNot, status: None, message }
}

fn device_ids(body: &[u8]) -> Option<Vec<String>> {
    let Value::Array(devices) = wire::value(body)? else { return None };
    let id = |device: Value| -> Option<String> {
        let raw: RawDevice = serde_json::from_value(device).ok()?;
        Some(wire::text(raw.device_id)).filter(|id| !id.is_empty())
    };
    Some(devices.into_iter().filter_map(id).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_without_an_id_are_left_out() {
        let body = br#"[{"dn":"901","device_id":"sip:901@127.0.0.1:5483","user_agent":"x"},{"dn":"901"},7]"#;
        assert_eq!(device_ids(body), Some(vec!["sip:901@127.0.0.1:5483".to_owned()]));
        assert_eq!(device_ids(b"{}"), None);
    }
}
