//! Traces of calls: the collector, and what is sent to it. The names are those of the OpenTelemetry specification
//! ("Environment Variable Specification", "OTLP Exporter").

use std::time::Duration;

use percent_encoding::percent_decode_str;
use precall_base::redact::know;
use url::Url;

use super::base_url::http_address;
use super::kind::Kind;
use super::problem::Problems;
use super::secret::Secret;
use super::section::Section;
use super::setting::{Setting, variables};
use super::value::numbers::Millis;
use super::value::{Complaint, FromText, Word, words};
use super::values::Values;
use super::variables::DefaultValue::Text;
use super::variables::Probed;

/// Path below `OTEL_EXPORTER_OTLP_ENDPOINT`.
const TRACES_PATH: &str = "v1/traces";
/// Most headers, and most attributes.
const PAIRS_MAX: usize = 64;
/// What the environment of a collector sets for all its clients, and this program cannot do.
const GRPC: &str =
    "http/protobuf or http/json; a collector takes both on port 4318. gRPC (port 4317) is not supported";

variables! { Section::Traces;
    otel_exporter_otlp_endpoint: CollectorUrl {
        probed: Probed::By("traces"),
        example: "http://127.0.0.1:4318",
        help: "Base address of the OpenTelemetry collector. Set: precall sends a trace of each finished call.",
        note: "precall adds /v1/traces.",
    }
    otel_exporter_otlp_traces_endpoint: CollectorUrl {
        probed: Probed::By("traces"),
        example: "http://127.0.0.1:4318/v1/traces",
        help: "Whole address for traces, in place of OTEL_EXPORTER_OTLP_ENDPOINT.",
    }
    otel_exporter_otlp_headers: Secret {
        probed: Probed::By("traces"),
        example: "api-key=CHANGE_ME",
        help: "Headers of each request to the collector, as name=value, comma separated.",
        note: "Values are percent-encoded.",
    }
    otel_exporter_otlp_protocol: OtlpProtocol {
        probed: Probed::By("traces"),
        default: Text("http/protobuf"),
        help: "How precall writes requests to the collector.",
        note: "gRPC is not supported.",
    }
    otel_exporter_otlp_timeout: Millis<100, 600_000> {
        default: Text("10000"),
        help: "Time limit of one request to the collector.",
    }
    otel_service_name: Word {
        probed: Probed::Nothing,
        default: Text("precall"),
        help: "Name of this service in traces (attribute service.name).",
    }
    otel_resource_attributes: Attributes {
        probed: Probed::Nothing,
        example: "deployment.environment.name=production,service.namespace=telephony",
        help: "Attributes of this process in traces, as name=value, comma separated.",
        note: "Values are percent-encoded. OTEL_SERVICE_NAME comes before service.name, if it is set.",
    }
    otel_traces_sampler: SamplerName {
        probed: Probed::Nothing,
        default: Text("parentbased_always_on"),
        help: "Which calls are traced.",
        note: "A call has no parent trace, so the names with parentbased_ decide as those without it.",
    }
    otel_traces_sampler_arg: Ratio {
        probed: Probed::Nothing,
        default: Text("1"),
        help: "Share of calls that are traced, from 0 to 1, with a sampler traceidratio.",
    }
    otel_sdk_disabled: bool {
        default: Text("false"),
        help: "Switches traces off, whatever the other variables say.",
    }
}

/// How precall writes requests to the collector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OtlpProtocol {
    /// Protobuf over HTTP.
    HttpProtobuf,
    /// JSON over HTTP.
    HttpJson,
}

/// Which calls are traced.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum TraceSampler {
    /// Every call.
    All,
    /// No call.
    None,
    /// This share of the calls, from 0 to 1.
    Ratio(f64),
}

/// Where traces of calls go.
#[derive(Clone, Debug)]
pub struct TraceExport {
    /// The whole address.
    pub url: Url,
    /// Headers of each request.
    pub headers: Vec<(String, Secret)>,
    /// How requests are written.
    pub protocol: OtlpProtocol,
    /// Time limit of one request.
    pub within: Duration,
    /// Attributes of this process, `service.name` first.
    pub resource: Vec<(String, String)>,
    /// Which calls are traced.
    pub sampler: TraceSampler,
}

impl TraceExport {
    /// The outer `None` is a wrong value, the inner one says that traces are off.
    pub(super) fn read(values: &Values, problems: &mut Problems) -> Option<Option<Self>> {
        let settings = Settings::read(values, problems)?;
        let headers = headers(settings.otel_exporter_otlp_headers, problems)?;
        let base = settings.otel_exporter_otlp_endpoint.optional()?;
        let whole = settings.otel_exporter_otlp_traces_endpoint.optional()?;
        let protocol = settings.otel_exporter_otlp_protocol.value()?;
        let within = settings.otel_exporter_otlp_timeout.value()?.0;
        let service = settings.otel_service_name.value()?.0;
        let attributes = settings.otel_resource_attributes.optional()?.unwrap_or(Attributes(Vec::new())).0;
        let share = settings.otel_traces_sampler_arg.value()?.0;
        let sampler = match settings.otel_traces_sampler.value()? {
            SamplerName::All => TraceSampler::All,
            SamplerName::None => TraceSampler::None,
            SamplerName::Ratio => TraceSampler::Ratio(share),
        };
        let is_off = settings.otel_sdk_disabled.value()?;
        let Some(url) = whole.map(|whole| whole.0).or_else(|| base.map(CollectorUrl::for_traces)) else {
            return Some(None);
        };
        // The variable of the service's own name wins, but not its default.
        let named = attributes.iter().find(|(name, _)| name == SERVICE_NAME).map(|(_, value)| value.clone());
        let service = named.filter(|_| !values.is_set("OTEL_SERVICE_NAME")).unwrap_or(service);
        let others =
            attributes.into_iter().filter(|(name, _)| name != SERVICE_NAME && name != SERVICE_VERSION);
        let own = [(SERVICE_NAME, service.as_str()), (SERVICE_VERSION, env!("CARGO_PKG_VERSION"))];
        let own = own.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let resource = own.into_iter().chain(others).collect();
        Some((!is_off).then_some(Self { url, headers, protocol, within, resource, sampler }))
    }

    /// Whether headers, which may hold keys, would go over a network unencrypted.
    pub(super) fn sends_headers_openly(&self) -> bool {
        let is_here =
            self.url.host_str().is_some_and(|host| matches!(host, "localhost" | "127.0.0.1" | "[::1]"));
        self.url.scheme() == "http" && !is_here && !self.headers.is_empty()
    }
}

const SERVICE_NAME: &str = "service.name";
const SERVICE_VERSION: &str = "service.version";

fn headers(setting: Setting<Secret>, problems: &mut Problems) -> Option<Vec<(String, Secret)>> {
    let name = setting.name;
    let Some(secret) = setting.optional()? else { return Some(Vec::new()) };
    let is_name = |text: &str| {
        text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
    };
    let is_value = |text: &str| text.bytes().all(|byte| byte == b'\t' || (b' '..=b'~').contains(&byte));
    match pairs(secret.expose()) {
        Some(found) if found.iter().all(|(name, value)| is_name(name) && is_value(value)) => {
            // Of `Bearer KEY` the key is hidden by itself.
            found
                .iter()
                .flat_map(|(_, value)| [value.as_str(), value.rsplit(' ').next().unwrap_or(value)])
                .for_each(know);
            Some(found.into_iter().map(|(name, value)| (name, Secret::new(value))).collect())
        }
        Some(_) | None => {
            // The text is not shown: it holds keys.
            let wrong = "is no list of headers";
            problems.add(name, wrong, "name=value, comma separated, with percent-encoded values in ASCII");
            None
        }
    }
}

/// `name=value,name=value` with percent-encoded values; none if it is something else.
fn pairs(text: &str) -> Option<Vec<(String, String)>> {
    let entries = text.split(',').map(str::trim).filter(|entry| !entry.is_empty());
    let pair = |entry: &str| {
        let (name, value) = entry.split_once('=')?;
        let value = percent_decode_str(value.trim()).decode_utf8().ok()?.into_owned();
        let name = name.trim();
        (!name.is_empty()).then(|| (name.to_owned(), value))
    };
    entries.map(pair).collect::<Option<Vec<_>>>().filter(|pairs| pairs.len() <= PAIRS_MAX)
}

/// `http` or `https`, any host: a collector usually runs in the same private network.
#[derive(Clone, Debug, PartialEq, Eq)]
struct CollectorUrl(Url);

impl CollectorUrl {
    fn for_traces(self) -> Url {
        let Self(mut url) = self;
        let path = format!("{}/{TRACES_PATH}", url.path().trim_end_matches('/'));
        url.set_path(&path);
        url
    }
}

impl FromText for CollectorUrl {
    const KIND: Kind = Kind::Form("http or https address");

    fn from_text(text: &str) -> Result<Self, Complaint> {
        const RIGHT: &str = "http://HOST:4318 or https://HOST, without user, query or fragment";
        http_address(text, RIGHT).map(Self)
    }
}

/// `name=value` pairs of OpenTelemetry.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Attributes(Vec<(String, String)>);

impl FromText for Attributes {
    const KIND: Kind = Kind::Form("list of name=value");

    fn from_text(text: &str) -> Result<Self, Complaint> {
        const RIGHT: &str = "name=value, comma separated, with percent-encoded values, at most 64";
        let has_control = text.chars().any(char::is_control);
        let found = pairs(text).filter(|_| !has_control);
        found.map(Self).ok_or_else(|| Complaint::is_not(text, RIGHT))
    }
}

/// A share, 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Ratio(f64);

impl FromText for Ratio {
    const KIND: Kind = Kind::Form("0 to 1");

    fn from_text(text: &str) -> Result<Self, Complaint> {
        let share = text.parse::<f64>().ok().filter(|share| (0.0..=1.0).contains(share));
        share.map(Self).ok_or_else(|| Complaint::is_not(text, "a number from 0 to 1, such as 0.1"))
    }
}

impl FromText for OtlpProtocol {
    const KIND: Kind = Kind::OneOf(&["http/protobuf", "http/json"]);

    fn from_text(text: &str) -> Result<Self, Complaint> {
        match text.to_ascii_lowercase().as_str() {
            "http/protobuf" => Ok(Self::HttpProtobuf),
            "http/json" => Ok(Self::HttpJson),
            _ => Err(Complaint::is_not(text, GRPC)),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SamplerName {
    All,
    None,
    Ratio,
}

words!(SamplerName,
    "parentbased_always_on" | "always_on" => SamplerName::All,
    "parentbased_always_off" | "always_off" => SamplerName::None,
    "parentbased_traceidratio" | "traceidratio" => SamplerName::Ratio,
);
