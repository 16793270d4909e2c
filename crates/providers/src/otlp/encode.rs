//! Spans as an OTLP `ExportTraceServiceRequest`, and the collector's answer to it.

use bytes::Bytes;
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{Event as WireEvent, SpanKind as WireKind};
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span as WireSpan, Status};
use precall_call::At;
use prost::Message;
use serde::Deserialize;

use super::settings::Protocol;
use super::span::{Span, SpanKind, SpanValue};
use crate::lenient::Scalar;

/// Bit of a span's flags: its context was not received from another process.
const HAS_IS_REMOTE: u32 = 0x100;
/// Flags of the W3C: sampled.
const W3C_FLAGS: u32 = 0x01;

/// The spans that the collector did not take although it answered with success.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Rejected {
    pub spans: i64,
    pub message: String,
}

/// The request for these spans.
///
/// # Errors
/// The text of serde's error. In practice never.
pub(super) fn request(
    protocol: Protocol,
    resource: &[(String, String)],
    spans: &[Span],
) -> Result<Bytes, String> {
    let request = ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            resource: Some(Resource {
                attributes: resource.iter().map(|(name, value)| text(name, value.clone())).collect(),
                ..Resource::default()
            }),
            scope_spans: vec![ScopeSpans {
                scope: Some(InstrumentationScope {
                    name: "precall".to_owned(),
                    version: env!("CARGO_PKG_VERSION").to_owned(),
                    ..InstrumentationScope::default()
                }),
                spans: spans.iter().map(wire).collect(),
                ..ScopeSpans::default()
            }],
            ..ResourceSpans::default()
        }],
    };
    match protocol {
        Protocol::Protobuf => Ok(request.encode_to_vec().into()),
        Protocol::Json => serde_json::to_vec(&request).map(Bytes::from).map_err(|error| error.to_string()),
    }
}

/// What a collector that answered with success did not take. An answer that cannot be read rejects nothing: some
/// collectors answer with other text.
pub(super) fn rejected(content_type: &str, body: &[u8]) -> Rejected {
    if content_type.contains("json") {
        let answer: JsonAnswer = serde_json::from_slice(body).unwrap_or_default();
        let JsonPartial { rejected_spans, error_message } = answer.partial_success.unwrap_or_default();
        let (spans, message) = (rejected_spans.integer().unwrap_or(0), error_message.unwrap_or_default());
        return Rejected { spans, message };
    }
    let answer = ExportTraceServiceResponse::decode(body).ok();
    let partial = answer.and_then(|answer| answer.partial_success);
    partial.map_or_else(Rejected::default, |partial| Rejected {
        spans: partial.rejected_spans,
        message: partial.error_message,
    })
}

/// The library does not read the number as text, which is the form of 64-bit numbers in JSON. A field may be null: it
/// then has its default value.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct JsonAnswer {
    partial_success: Option<JsonPartial>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct JsonPartial {
    rejected_spans: Scalar,
    error_message: Option<String>,
}

fn wire(span: &Span) -> WireSpan {
    let error = span.error.map(|error| text("error.type", error.to_owned()));
    WireSpan {
        trace_id: span.trace.to_bytes().to_vec(),
        span_id: span.id.to_bytes().to_vec(),
        parent_span_id: span.parent.map(|parent| parent.to_bytes().to_vec()).unwrap_or_default(),
        flags: HAS_IS_REMOTE | W3C_FLAGS,
        name: span.name.to_owned(),
        kind: kind(span.kind).into(),
        start_time_unix_nano: nanos(span.start),
        end_time_unix_nano: nanos(span.end.max(span.start)),
        attributes: span.attributes.iter().map(attribute).chain(error).collect(),
        events: span
            .events
            .iter()
            .map(|event| WireEvent {
                time_unix_nano: nanos(event.at),
                name: event.name.to_owned(),
                ..WireEvent::default()
            })
            .collect(),
        dropped_events_count: span.events_dropped,
        status: span.error.map(|error| Status { message: error.to_owned(), code: StatusCode::Error.into() }),
        ..WireSpan::default()
    }
}

fn kind(kind: SpanKind) -> WireKind {
    match kind {
        SpanKind::Internal => WireKind::Internal,
        SpanKind::Server => WireKind::Server,
        SpanKind::Client => WireKind::Client,
    }
}

fn attribute((name, value): &(&'static str, SpanValue)) -> KeyValue {
    match value {
        SpanValue::Text(value) => text(name, value.clone()),
        SpanValue::Whole(value) => key_value(name, any_value::Value::IntValue(*value)),
    }
}

fn text(name: &str, value: String) -> KeyValue {
    key_value(name, any_value::Value::StringValue(value))
}

fn key_value(name: &str, value: any_value::Value) -> KeyValue {
    KeyValue { key: name.to_owned(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}

/// Nanoseconds since 1970.
fn nanos(at: At) -> u64 {
    u64::try_from(at.0).unwrap_or(0).saturating_mul(1_000)
}

#[cfg(test)]
mod tests;
