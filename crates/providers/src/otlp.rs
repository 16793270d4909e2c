//! Client of an OpenTelemetry collector: sends the spans of calls over OTLP/HTTP (OTLP specification 1.x).

mod client;
mod encode;
mod settings;
mod span;

pub use client::{Collector, SendError, SendErrorKind, Sent};
pub use settings::{CollectorSettings, CollectorSettingsError, Protocol};
pub use span::{Span, SpanEvent, SpanKind, SpanValue};
