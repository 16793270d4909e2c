//! What the CRM template of 3CX sends (docs/3cx-crm-template.xml): the look-up of a caller, and the report of a call
//! that is over. Neither has the PBX's id of the call, so caller and time must do.
//!
//! The variables of a template are those that 3CX documents (provider facts, section 2.2). Nobody has seen the requests
//! of a real PBX yet, so numbers and words are read leniently.

use std::time::Duration;

use precall_actors::api::{PbxNotice, PbxNoticeKind};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::threecx_schema::{TEXT_MAX, ThreeCxDirection, ThreeCxText, ThreeCxTime};
use super::threecx_wire::{Direction, Message, Text, read_object, time};
use crate::http::error::{Code, Problem};

/// State of a call whose caller the PBX has looked up.
const LOOKED_UP: &str = "crm_lookup";

/// The query of a look-up.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct LookupQuery {
    /// The caller: `[Number]` of the template.
    #[param(max_length = 255)]
    number: Option<String>,
    /// `[CallDirection]` of the template.
    #[serde(default)]
    #[param(value_type = Option<ThreeCxDirection>)]
    direction: Text,
}

impl LookupQuery {
    /// The notice of a look-up: the PBX is routing a call of this caller.
    ///
    /// # Errors
    /// `no_call` without a number, `bad_field` for one that is too long.
    pub(crate) fn message(self) -> Result<Message, Problem> {
        let Self { number, direction } = self;
        let caller = caller(number.as_deref().map(with_plus).unwrap_or_default(), "number")?;
        if Direction::of(&direction) == Direction::Out {
            return Ok(Message::Outbound { threecx_call_id: None });
        }
        Ok(notice(caller, PbxNoticeKind::StateChanged(LOOKED_UP.to_owned())))
    }
}

/// The report of a call that is over, as the scenario `ReportCall` of the template sends it. Unknown fields are
/// ignored.
#[derive(Deserialize, ToSchema)]
#[schema(as = ThreeCxReport)]
pub(crate) struct ReportBody {
    /// `[Number]`: the other side of the call.
    #[serde(default)]
    #[schema(value_type = ThreeCxText, required)]
    caller_id: Text,
    /// `[CallDirection]`: `Outbound` is ignored, every other word is a call to precall.
    #[serde(default)]
    #[schema(value_type = Option<ThreeCxDirection>)]
    direction: Text,
    /// `[CallType]`, which counts where `direction` is not there.
    #[serde(default)]
    #[schema(value_type = Option<ThreeCxDirection>)]
    call_type: Text,
    /// `[Duration]`: `hh:mm:ss`. Other values count as missing.
    #[serde(default)]
    #[schema(value_type = Option<ThreeCxText>)]
    duration: Text,
    /// `[CallStartTimeUTC]`.
    #[serde(default)]
    #[schema(value_type = ThreeCxTime, required)]
    timestamp: Text,
    /// `[CallEndTimeUTC]`.
    #[serde(default)]
    #[schema(value_type = ThreeCxTime, required)]
    ended_at: Text,
}

/// Parses a report.
///
/// # Errors
/// `bad_json`, `no_call` without a number, `bad_field` for a time that cannot be read.
pub(crate) fn parse_report(body: &[u8]) -> Result<Message, Problem> {
    let wire: ReportBody = read_object(body)?;
    let caller = caller(wire.caller_id, "caller_id")?;
    let direction = if wire.direction.0.is_some() { &wire.direction } else { &wire.call_type };
    if Direction::of(direction) == Direction::Out {
        return Ok(Message::Outbound { threecx_call_id: None });
    }
    let read_time = |text: &Text, field: &str| {
        let wrong = || format!("{field} must be a time such as 2026-11-22T10:11:12Z");
        time(text).ok_or_else(|| Problem::new(Code::BadField, wrong()))
    };
    let began = read_time(&wire.timestamp, "timestamp")?;
    let ended = read_time(&wire.ended_at, "ended_at")?;
    if ended < began {
        return Err(Problem::new(Code::BadField, "ended_at is before timestamp"));
    }
    let duration = wire.duration.0.as_deref().and_then(clock_duration);
    Ok(notice(caller, PbxNoticeKind::Reported { began, ended, duration }))
}

fn caller(number: Text, field: &str) -> Result<String, Problem> {
    let missing = || Problem::new(Code::NoCall, format!("{field} is missing"));
    number.bounded(field, TEXT_MAX)?.ok_or_else(missing)
}

fn notice(caller: String, kind: PbxNoticeKind) -> Message {
    Message::Notice(PbxNotice { threecx_call_id: None, caller: Some(caller), called: None, kind })
}

/// Whether 3CX encodes a number for the query is not known. A plus sign that is not encoded arrives as a space.
fn with_plus(number: &str) -> Text {
    let trimmed = number.trim();
    let has_lost_it = number.starts_with(' ') && trimmed.starts_with(|letter: char| letter.is_ascii_digit());
    let came = number.chars().count();
    if has_lost_it { Text::of_long(&format!("+{trimmed}"), came) } else { Text::of_long(trimmed, came) }
}

/// `hh:mm:ss`; `None` for other text.
fn clock_duration(text: &str) -> Option<Duration> {
    let mut parts = text.splitn(3, ':').map(|part| part.parse::<u32>().ok().map(u64::from));
    let (hours, minutes, seconds) = (parts.next()??, parts.next()??, parts.next()??);
    (minutes < 60 && seconds < 60).then(|| Duration::from_secs(hours * 3600 + minutes * 60 + seconds))
}

#[cfg(test)]
mod tests;
