//! The trace collector: a request without spans, by which a collector stores nothing.

use precall_providers::otlp::{Collector, SendError};

use super::finding::Judgement;
use super::world::World;
use crate::app;

pub(super) async fn look(world: &World<'_>) -> Vec<Judgement> {
    let Some(export) = &world.config.traces else {
        return vec![Judgement::Good("off: OTEL_EXPORTER_OTLP_ENDPOINT is not set".to_owned())];
    };
    let collector = match app::collector(export) {
        Ok(settings) => Collector::new(settings),
        Err(error) => return vec![Judgement::Wrong(error.to_string())],
    };
    let host = export.url.host_str().unwrap_or_default();
    let asked = tokio::time::timeout(world.options.within, collector.send(&[])).await;
    vec![match asked {
        Ok(Ok(_)) => Judgement::Good(format!("the collector at {host} takes traces")),
        Ok(Err(error)) => judge(&error, host),
        Err(_) => Judgement::Note(format!(
            "the collector at {host} did not answer within {} s; calls go on without traces",
            world.options.within.as_secs()
        )),
    }]
}

fn judge(error: &SendError, host: &str) -> Judgement {
    if error.kind.is_passing() {
        return Judgement::Note(format!(
            "the collector at {host} does not take traces now ({error}); calls go on without them"
        ));
    }
    Judgement::Wrong(format!(
        "the collector at {host} refuses traces ({error}): check the address, OTEL_EXPORTER_OTLP_PROTOCOL and \
         OTEL_EXPORTER_OTLP_HEADERS"
    ))
}
