//! The spans of one call while they are being made.
//!
//! Pure: times are arguments.

use precall_call::{At, CallId};
use precall_providers::otlp::{Span, SpanEvent, SpanKind, SpanValue};
use precall_providers::trace_context::{TracedPart, span_id, trace_id};

/// Most events of one span; later ones are counted.
const EVENTS_MAX: usize = 64;
/// Most spans of one call. An operator may ask for the voice again and again.
const SPANS_MAX: usize = 128;

/// The spans of a call, in the order of their beginnings. The first one is the root.
pub(super) struct OpenSpans {
    call: CallId,
    spans: Vec<(TracedPart, Span)>,
    open: Vec<TracedPart>,
}

impl OpenSpans {
    /// Begins the root.
    pub(super) fn new(call: CallId, start: At) -> Self {
        let mut spans = Self { call, spans: Vec::new(), open: Vec::new() };
        spans.begin(TracedPart::Call, None, "call", SpanKind::Server, start);
        spans
    }

    /// Begins a span. One that has ended begins again: it then lasts from its first beginning to its last end.
    pub(super) fn begin(
        &mut self,
        part: TracedPart,
        parent: Option<TracedPart>,
        name: &'static str,
        kind: SpanKind,
        start: At,
    ) {
        if self.is_open(part) {
            return;
        }
        if self.span(part).is_some() {
            self.open.push(part);
            return;
        }
        if self.spans.len() >= SPANS_MAX {
            return;
        }
        let span = Span {
            trace: trace_id(self.call),
            id: span_id(self.call, part),
            parent: parent.map(|parent| span_id(self.call, parent)),
            name,
            kind,
            start,
            end: start,
            attributes: Vec::new(),
            events: Vec::new(),
            events_dropped: 0,
            error: None,
        };
        self.spans.push((part, span));
        self.open.push(part);
    }

    /// Ends a span. `error`: why it failed. Does nothing if it is not open.
    pub(super) fn end(&mut self, part: TracedPart, at: At, error: Option<&'static str>) {
        let Some(place) = self.open.iter().position(|open| *open == part) else { return };
        self.open.remove(place);
        if let Some(span) = self.span(part) {
            span.end = at.max(span.start);
            span.error = error;
        }
    }

    /// A whole span.
    pub(super) fn whole(
        &mut self,
        part: TracedPart,
        parent: TracedPart,
        (name, kind): (&'static str, SpanKind),
        (start, end): (At, At),
        error: Option<&'static str>,
    ) {
        self.begin(part, Some(parent), name, kind, start);
        self.end(part, end, error);
    }

    /// Sets an attribute; the last value counts. Does nothing without the span.
    pub(super) fn set(&mut self, part: TracedPart, name: &'static str, value: impl Into<SpanValue>) {
        if let Some(span) = self.span(part) {
            span.attributes.retain(|(known, _)| *known != name);
            span.attributes.push((name, value.into()));
        }
    }

    /// Adds an event. Does nothing without the span.
    pub(super) fn event(&mut self, part: TracedPart, name: &'static str, at: At) {
        if let Some(span) = self.span(part) {
            if span.events.len() < EVENTS_MAX {
                span.events.push(SpanEvent { name, at });
            } else {
                span.events_dropped = span.events_dropped.saturating_add(1);
            }
        }
    }

    pub(super) fn is_open(&self, part: TracedPart) -> bool {
        self.open.contains(&part)
    }

    /// When the span began; none without it.
    pub(super) fn start_of(&mut self, part: TracedPart) -> Option<At> {
        self.span(part).map(|span| span.start)
    }

    /// All spans. Those that are still open end now.
    pub(super) fn finish(mut self, at: At, error: Option<&'static str>) -> Vec<Span> {
        for part in self.open.clone() {
            self.end(part, at, if part == TracedPart::Call { error } else { None });
        }
        self.spans.into_iter().map(|(_, span)| span).collect()
    }

    fn span(&mut self, part: TracedPart) -> Option<&mut Span> {
        self.spans.iter_mut().find(|(known, _)| *known == part).map(|(_, span)| span)
    }
}
