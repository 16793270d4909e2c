//! Tests of the settings of traces.

use std::time::Duration;

use super::super::{Config, OtlpProtocol, TraceExport, TraceSampler};
use super::with;

const ENDPOINT: (&str, &str) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318");

fn export(pairs: &[(&str, &str)]) -> Option<TraceExport> {
    with(pairs).unwrap().traces
}

fn refused(pair: (&str, &str)) -> String {
    with(&[ENDPOINT, pair]).map(|_| pair).unwrap_err().to_string()
}

#[test]
fn traces_are_off_until_an_address_is_set() {
    assert!(export(&[]).is_none());
    assert!(export(&[("OTEL_SERVICE_NAME", "calls")]).is_none());
    assert!(export(&[ENDPOINT, ("OTEL_SDK_DISABLED", "true")]).is_none());
    let found = export(&[ENDPOINT]).unwrap();
    assert_eq!(found.protocol, OtlpProtocol::HttpProtobuf);
    assert_eq!((found.within, found.sampler), (Duration::from_secs(10), TraceSampler::All));
    assert!(found.headers.is_empty());
}

#[test]
fn the_path_is_added_to_the_base_address_only() {
    let url = |pairs: &[(&str, &str)]| export(pairs).unwrap().url.to_string();
    assert_eq!(url(&[ENDPOINT]), "http://collector:4318/v1/traces");
    let base = |text| [("OTEL_EXPORTER_OTLP_ENDPOINT", text)];
    assert_eq!(url(&base("https://example.com/otlp/")), "https://example.com/otlp/v1/traces");
    let whole = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "https://example.com/in");
    assert_eq!(url(&[ENDPOINT, whole]), "https://example.com/in");
}

#[test]
fn headers_are_decoded_and_never_shown() {
    let set = ("OTEL_EXPORTER_OTLP_HEADERS", "api-key=a%2Cb%3D, x-team = voice");
    let config = with(&[ENDPOINT, set]).unwrap();
    let found = config.traces.as_ref().unwrap();
    let read: Vec<_> = found.headers.iter().map(|(name, value)| (name.as_str(), value.expose())).collect();
    assert_eq!(read, [("api-key", "a,b="), ("x-team", "voice")]);
    assert!(!config.show().contains("a%2Cb") && !format!("{config:?}").contains("a,b="));
    assert!(config.notices().iter().any(|notice| notice.contains("OTEL_EXPORTER_OTLP_HEADERS")));
    for wrong in ["a hidden word", "=hidden", "na me=hidden", "hidden=%0A", "hidden=%ff"] {
        let error = refused(("OTEL_EXPORTER_OTLP_HEADERS", wrong));
        assert!(error.contains("OTEL_EXPORTER_OTLP_HEADERS") && !error.contains("hidden"), "{error}");
    }
}

#[test]
fn keys_to_this_machine_or_over_tls_need_no_warning() {
    for address in ["http://127.0.0.1:4318", "http://localhost:4318", "https://collector.example.com"] {
        let set = [("OTEL_EXPORTER_OTLP_ENDPOINT", address), ("OTEL_EXPORTER_OTLP_HEADERS", "k=v")];
        let config = with(&set).unwrap();
        assert!(!config.notices().iter().any(|notice| notice.contains("OTEL")), "{:?}", config.notices());
    }
}

#[test]
fn only_http_is_accepted_and_the_message_says_what_to_set() {
    assert_eq!(
        export(&[ENDPOINT, ("OTEL_EXPORTER_OTLP_PROTOCOL", "HTTP/JSON")]).unwrap().protocol,
        OtlpProtocol::HttpJson
    );
    let error = refused(("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"));
    assert!(error.contains("http/protobuf or http/json") && error.contains("4318"), "{error}");
}

#[test]
fn the_service_has_a_name_and_a_version() {
    let resource = |pairs: &[(&str, &str)]| {
        let set: Vec<_> = [ENDPOINT].iter().chain(pairs).copied().collect();
        export(&set).unwrap().resource
    };
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let version = pair("service.version", env!("CARGO_PKG_VERSION"));
    assert_eq!(resource(&[]), [pair("service.name", "precall"), version.clone()]);
    let attributes = ("OTEL_RESOURCE_ATTRIBUTES", "service.name=calls,region=eu%20west");
    assert_eq!(
        resource(&[attributes]),
        [pair("service.name", "calls"), version.clone(), pair("region", "eu west")]
    );
    let named = resource(&[attributes, ("OTEL_SERVICE_NAME", "front")]);
    assert_eq!(named, [pair("service.name", "front"), version, pair("region", "eu west")]);
    assert!(refused(("OTEL_RESOURCE_ATTRIBUTES", "no pair")).contains("OTEL_RESOURCE_ATTRIBUTES"));
}

#[test]
fn samplers_are_read_by_their_names() {
    let sampler = |name, share| {
        export(&[ENDPOINT, ("OTEL_TRACES_SAMPLER", name), ("OTEL_TRACES_SAMPLER_ARG", share)])
            .unwrap()
            .sampler
    };
    assert_eq!(sampler("always_on", "0.5"), TraceSampler::All);
    assert_eq!(sampler("parentbased_always_off", "0.5"), TraceSampler::None);
    assert_eq!(sampler("traceidratio", "0.25"), TraceSampler::Ratio(0.25));
    for wrong in ["1.1", "-0.1", "NaN", "half"] {
        assert!(refused(("OTEL_TRACES_SAMPLER_ARG", wrong)).contains("from 0 to 1"), "{wrong}");
    }
    assert!(refused(("OTEL_TRACES_SAMPLER", "jaeger_remote")).contains("OTEL_TRACES_SAMPLER"));
}

#[test]
fn other_variables_of_opentelemetry_are_named() {
    let warned = |name| {
        let config: Config = with(&[ENDPOINT, (name, "1")]).unwrap();
        config.warnings().iter().any(|warning| warning.contains(name))
    };
    assert!(warned("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT") && warned("OTEL_EXPORTER_OTLP_COMPRESSION"));
    // Another program's, on the same host.
    assert!(!warned("OTEL_LOG_LEVEL"));
}
