//! How the page names a moment of a call.

use precall_call::At;

/// The link to the state after an event.
pub(super) fn link(seq: i64) -> String {
    format!("?at={seq}#state")
}

/// A time since the offer, such as `+14.210 s`. A clone job may have begun before it.
pub(super) fn offset(at: At, from: At) -> String {
    let sign = if at < from { '-' } else { '+' };
    format!("{sign}{:.3} s", at.max(from).since(at.min(from)).as_secs_f64())
}
