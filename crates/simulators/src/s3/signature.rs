//! AWS Signature Version 4 in a URL. The check decodes and encodes all parts again, as the store does, so that it
//! finds a client that encodes differently.

use actix_web::HttpRequest;
use hmac::{Hmac, KeyInit, Mac};
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use sha2::{Digest, Sha256};

use super::Options;

/// How far ahead a client's clock may be, in minutes.
const AHEAD_MINUTES: i64 = 15;

/// Why a request is refused: status, code.
pub(super) type Refused = (u16, &'static str);

/// The pairs of a query, decoded.
pub(super) fn pairs(query: &str) -> Vec<(String, String)> {
    let split = query.split('&').filter(|pair| !pair.is_empty());
    split
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decoded(name), decoded(value))
        })
        .collect()
}

/// Whether the signature is valid for this request and not expired.
pub(super) fn check(request: &HttpRequest, options: &Options, now: Timestamp) -> Result<(), Refused> {
    let pairs = pairs(request.query_string());
    let of = |name: &str| pairs.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    let need = |name: &str| of(name).ok_or((403, "AccessDenied"));
    let malformed = (400, "AuthorizationQueryParametersError");
    if need("X-Amz-Algorithm")? != "AWS4-HMAC-SHA256" {
        return Err(malformed);
    }
    let (key_id, scope) = need("X-Amz-Credential")?.split_once('/').ok_or(malformed)?;
    if key_id != options.key_id {
        return Err((403, "InvalidAccessKeyId"));
    }
    let date = need("X-Amz-Date")?;
    let day = date.get(..8).ok_or(malformed)?;
    if scope != format!("{day}/{}/s3/aws4_request", options.region) {
        return Err(malformed);
    }
    let signed_at = DateTime::strptime("%Y%m%dT%H%M%SZ", date)
        .and_then(|civil| TimeZone::UTC.to_timestamp(civil))
        .map_err(|_| malformed)?;
    let good_for: i64 = need("X-Amz-Expires")?.parse().map_err(|_| malformed)?;
    let is_over = signed_at.checked_add(good_for.seconds()).is_ok_and(|end| end < now);
    let is_ahead = now.checked_add(AHEAD_MINUTES.minutes()).is_ok_and(|latest| latest < signed_at);
    if is_over || is_ahead {
        return Err((403, "AccessDenied"));
    }
    let names = need("X-Amz-SignedHeaders")?;
    let mut headers = String::new();
    for name in names.split(';') {
        let value = request.headers().get(name).and_then(|value| value.to_str().ok());
        headers.push_str(&format!("{name}:{}\n", value.ok_or(malformed)?.trim()));
    }
    let mut query: Vec<String> = pairs
        .iter()
        .filter(|(name, _)| name != "X-Amz-Signature")
        .map(|(name, value)| format!("{}={}", encoded(name, ""), encoded(value, "")))
        .collect();
    query.sort();
    let path = encoded(&decoded(request.uri().path()), "/");
    let (method, query) = (request.method().as_str(), query.join("&"));
    let canonical = format!("{method}\n{path}\n{query}\n{headers}\n{names}\nUNSIGNED-PAYLOAD");
    let hash = hex::encode(Sha256::digest(canonical.as_bytes()));
    let mut key = mac(format!("AWS4{}", options.secret).as_bytes(), day);
    for part in [options.region.as_str(), "s3", "aws4_request"] {
        key = mac(&key, part);
    }
    let expected = hex::encode(mac(&key, &format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{hash}")));
    if need("X-Amz-Signature")? == expected { Ok(()) } else { Err((403, "SignatureDoesNotMatch")) }
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    // HMAC takes a key of any length, so that this cannot fail.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return Vec::new() };
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

/// Every byte but letters, digits, `-_.~` and those that are kept.
pub(super) fn encoded(text: &str, kept: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        let sign = char::from(byte);
        if byte.is_ascii_alphanumeric() || "-_.~".contains(sign) || kept.contains(sign) {
            out.push(sign);
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// A plus is a plus.
pub(super) fn decoded(text: &str) -> String {
    let mut out = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let code = after.get(..2).and_then(|code| hex::decode(code).ok());
        match (first, code.as_deref()) {
            (b'%', Some([byte])) => {
                out.push(*byte);
                rest = after.get(2..).unwrap_or_default();
            }
            _ => {
                out.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}
