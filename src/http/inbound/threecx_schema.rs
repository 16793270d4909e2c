//! The fields of a 3CX webhook in the OpenAPI document.

use utoipa::openapi::schema::{ObjectBuilder, Type};

use crate::http::openapi::names::{components, open_list, text_or_number};

/// Longest id, number or state, in characters.
pub(super) const TEXT_MAX: usize = 255;
/// Longest URL, in characters.
pub(super) const URL_MAX: usize = 8_192;

/// Words for the direction of a call, as call flows, CRM templates and add-ons write them. Those from `Out` on are for
/// calls from the PBX to somebody else.
const DIRECTIONS: [&str; 15] = [
    "In",
    "Inbound",
    "Incoming",
    "Internal",
    "Local",
    "Missed",
    "Notanswered",
    "Out",
    "Outbound",
    "Outgoing",
    "OutboundExternal",
    "OutboundInternal",
    "ExternalOutbound",
    "PickupOutgoing",
    "HangupOutgoing",
];

components! {
    /// An event of the PBX.
    ThreeCxEvent = ObjectBuilder::new()
        .schema_type(Type::String)
        .enum_values(Some(["IncomingCall", "CallStateChanged", "CallEnded"]));
    /// `Out`, `Outbound`, `Outgoing` and the like: precall ignores the call. `In` and the like, and every other word:
    /// a call to precall. Case, spaces and signs do not matter.
    ThreeCxDirection = open_list(&DIRECTIONS, None);
    /// A text or a number. Empty text counts as missing.
    ThreeCxText = text_or_number().max_length(Some(TEXT_MAX));
    /// A text. Empty text counts as missing.
    ThreeCxUrl = ObjectBuilder::new().schema_type(Type::String).max_length(Some(URL_MAX));
    /// Whole seconds as a number or as digits. Other values count as missing.
    ThreeCxSeconds = text_or_number().minimum(Some(0)).maximum(Some(u32::MAX));
    /// Seconds since 1970 as a number or as digits, or RFC 3339. Other values count as missing.
    ThreeCxTime = text_or_number();
}
