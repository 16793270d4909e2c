//! Random identifiers in the form of the provider's.

use uuid::Uuid;

const ALPHABET: &[u8; 62] = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
const LOWER_CASE: u128 = 36;
const ALL: u128 = 62;

fn random(length: usize, radix: u128) -> String {
    let mut text = String::with_capacity(length);
    let mut pool = 0_u128;
    while text.len() < length {
        if pool < radix {
            pool = Uuid::new_v4().as_u128();
        }
        let digit = usize::try_from(pool.checked_rem(radix).unwrap_or(0)).unwrap_or(0);
        pool = pool.checked_div(radix).unwrap_or(0);
        text.push(ALPHABET.get(digit).copied().map_or('0', char::from));
    }
    text
}

const VOICE: usize = 20;

/// A voice, like `c38kUX8pkfYO2kHyqfFy`.
pub(super) fn voice() -> String {
    random(VOICE, ALL)
}

/// Whether an id has the form of [`voice`].
pub(super) fn is_voice(id: &str) -> bool {
    id.len() == VOICE && id.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// A conversation, like `conv_3701k3ttaq12ewp8b7qv5rfyszkz`.
pub(super) fn conversation() -> String {
    format!("conv_{}", random(28, LOWER_CASE))
}

/// A sample of a voice.
pub(super) fn sample() -> String {
    random(20, ALL)
}

/// A SIP call, like `SCL_a1B2c3D4e5F6`.
pub(super) fn sip_call() -> String {
    format!("SCL_{}", random(12, ALL))
}

/// A Twilio call: `CA` and 32 hex digits.
pub(super) fn twilio_call() -> String {
    format!("CA{}", Uuid::new_v4().simple())
}

/// A Twilio media stream: `MZ` and 32 hex digits.
pub(super) fn twilio_stream() -> String {
    format!("MZ{}", Uuid::new_v4().simple())
}

/// A request, as in the header `request-id`.
pub(super) fn request() -> String {
    Uuid::new_v4().simple().to_string()
}

/// The signature of a signed URL.
pub(super) fn signature() -> String {
    random(40, ALL)
}

/// A call of a tool.
pub(super) fn tool_call() -> String {
    format!("toolcall_{}", random(24, LOWER_CASE))
}
