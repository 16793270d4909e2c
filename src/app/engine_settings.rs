//! The engine's settings from the configuration.

use std::sync::Arc;

use precall_actors::api::{LiveLegSettings, ReloadableSettings};
use precall_actors::call::line::{Line, LineRules};
use precall_actors::call::services::DialSettings;
use precall_actors::canary::settings::CanarySettings;
use precall_actors::erasure::ledger::Ledger;
use precall_actors::lifecycle::housekeeping::Retention;
use precall_actors::lifecycle::settings::{EngineSettings, LiveCalls, PbxEngine, SpoolSettings};
use precall_actors::limits::dial_guard::{Countries, DialLimits};
use precall_actors::observe::traces::exporter::TraceSettings;
use precall_actors::observe::traces::sampler::Sampler;
use precall_actors::pbx::pbx_feed::FeedPace;
use precall_actors::runtime::fault_injection::Faults;
use precall_actors::voices::samples::SampleStore;
use precall_actors::voices::services::VoiceSettings;
use precall_audio::MediaSettings;
use precall_audio::prompts::PromptSettings;
use precall_base::phone_number::Region;
use precall_call::{LineId, Route};
use precall_providers::elevenlabs;
use precall_providers::elevenlabs::ApiKey;
use precall_providers::otlp::{CollectorSettings, Protocol};
use precall_providers::threecx::settings as threecx;
use precall_providers::threecx::settings::ClientSecret;
use precall_providers::tls_roots::TlsRoots;
use precall_store::voices::ConsentRule;
use slog::{Logger, o};
use url::Url;

use super::error::AppError;
use super::pools::Pools;
use crate::config::{CallControl, Config, OtlpProtocol, Telephony, TraceExport, TraceSampler};

/// After this time without a report, precall asks ElevenLabs for the conversation.
const REPORT_GRACE: std::time::Duration = std::time::Duration::from_secs(30);
/// Time limit of a PBX request that does not ring a telephone.
const PBX_WITHIN: std::time::Duration = std::time::Duration::from_secs(5);

/// Parts of the engine that are not in the configuration.
pub(super) struct EngineParts {
    pub(super) pools: Pools,
    pub(super) spool: Option<SpoolSettings>,
    pub(super) samples: SampleStore,
    pub(super) faults: Faults,
    pub(super) log: Logger,
}

/// What a reload replaces.
pub(super) fn reloadable_settings(config: &Config) -> Result<ReloadableSettings, AppError> {
    let provider = elevenlabs::Settings::new(
        config.elevenlabs.api_base.as_str().parse()?,
        ApiKey::new(config.elevenlabs.api_key.expose()),
    )?;
    let callback = &config.callback;
    let countries = if callback.countries.is_empty() {
        Countries::Home
    } else {
        Countries::Only(callback.countries.iter().copied().collect())
    };
    Ok(ReloadableSettings {
        default_line: default_line(config),
        trusted_trunks: config.clone.trusted_trunks.clone(),
        countries,
        own_numbers: callback.own_numbers.iter().cloned().collect(),
        limits: DialLimits {
            per_number_hour: callback.limit_per_number_hour,
            per_hour: callback.limit_per_hour,
            per_day: callback.limit_per_day,
            at_once: callback.limit_concurrent,
        },
        start_patience: config.call.start_patience,
        max_live_calls: config.call.max_live,
        budgets: config.budget.limits,
        agent_concurrency: config.budget.agent_concurrency,
        pbx_calls: config.threecx.simultaneous_calls,
        provider: Arc::new(provider),
        live_leg: live_leg_control(config).map(|control| live_leg(config, control)).transpose()?,
    })
}

/// Every setting of the engine, in one place.
pub(super) fn engine_settings(config: &Config, parts: EngineParts) -> Result<EngineSettings, AppError> {
    let EngineParts { pools, spool, samples, faults, log } = parts;
    Ok(EngineSettings {
        reloadable: reloadable_settings(config)?,
        probe_every: config.elevenlabs.probe_every,
        pool: pools.reading,
        writing_pool: pools.writing,
        replica: pools.replica,
        region: config.callback.default_region.unwrap_or(Region::UNKNOWN),
        live_calls: live_calls(config)?,
        pbx: pbx(config)?,
        dial: DialSettings {
            telephony: match config.elevenlabs.telephony {
                Telephony::SipTrunk => elevenlabs::Telephony::SipTrunk,
                Telephony::Twilio => elevenlabs::Telephony::Twilio,
            },
            // The other half of an attempt's time is for finding a call whose dial answer was lost.
            dial_within: config.call.handoff_max / 2,
        },
        voices: VoiceSettings {
            installation: config.installation.clone(),
            samples,
            consent: if config.clone.consent_required {
                ConsentRule::Required
            } else {
                ConsentRule::NotRequired
            },
            clone_concurrency: config.clone.concurrency,
            clone_timeout: config.clone.timeout,
            cache_ttl: config.clone.cache_ttl,
        },
        ledger: Ledger::at(&config.retention.ledger),
        arbiters: config.server.call_arbiters,
        report_wait: config.call.postcall_wait,
        outage_max: config.database.outage_max,
        retention: Retention {
            events_days: config.retention.kept.calls,
            words_days: config.retention.kept.transcripts,
            recordings_days: config.retention.kept.recordings,
            webhooks_days: config.retention.kept.webhooks,
            recordings: config.clone.samples_path.join("recordings"),
            database_max_bytes: config.retention.database_max_bytes,
        },
        spool,
        traces: config.traces.as_ref().map(trace_settings).transpose()?,
        canary: canary(config)?,
        faults,
        log: log.new(o!()),
    })
}

/// The collector's client and the sampler.
fn trace_settings(export: &TraceExport) -> Result<TraceSettings, AppError> {
    let sampler = match export.sampler {
        TraceSampler::All => Sampler::All,
        TraceSampler::None => Sampler::None,
        TraceSampler::Ratio(share) => Sampler::Ratio(share),
    };
    Ok(TraceSettings { collector: collector(export)?, sampler })
}

/// The settings of a client of the collector. TLS trusts the authorities of the host.
pub(crate) fn collector(export: &TraceExport) -> Result<CollectorSettings, AppError> {
    let headers: Vec<(String, String)> =
        export.headers.iter().map(|(name, value)| (name.clone(), value.expose().to_owned())).collect();
    let protocol = match export.protocol {
        OtlpProtocol::HttpProtobuf => Protocol::Protobuf,
        OtlpProtocol::HttpJson => Protocol::Json,
    };
    let (url, resource) = (export.url.clone(), export.resource.clone());
    let is_tls = url.scheme() == "https";
    let settings = CollectorSettings::new(url, &headers, protocol, export.within, resource)?;
    if !is_tls {
        return Ok(settings);
    }
    Ok(settings.with_tls_roots(TlsRoots::load(None).map_err(AppError::CollectorTrust)?))
}

fn live_calls(config: &Config) -> Result<LiveCalls, AppError> {
    if !config.abandon_live_calls {
        return Ok(LiveCalls::Keep);
    }
    let pbx = config.threecx.call_control.as_ref().map(pbx_client).transpose()?;
    Ok(LiveCalls::Abandon { pbx: pbx.map(Arc::new) })
}

fn pbx_client(control: &CallControl) -> Result<threecx::Settings, AppError> {
    let base: Url = control.base.as_str().parse().map_err(AppError::PbxUrl)?;
    let secret = ClientSecret::new(control.client_secret.expose());
    let is_tls = base.scheme() == "https";
    let client = threecx::Settings::new(base, &control.client_id, secret, PBX_WITHIN)?;
    Ok(if is_tls { client.with_tls_roots(TlsRoots::load(control.ca_file.as_deref())?) } else { client })
}

/// Test calls. The canary is a client of its own at the same PBX.
fn canary(config: &Config) -> Result<CanarySettings, AppError> {
    let of_route = config.canary.client.as_ref().filter(|_| config.call.route != Route::Callback);
    let client = config.threecx.call_control.as_ref().zip(of_route).map(|(control, client)| CallControl {
        client_id: client.id.clone(),
        client_secret: client.secret.clone(),
        ..control.clone()
    });
    Ok(CanarySettings {
        every: config.canary.every,
        calls_per_day: config.canary.calls_per_day,
        pbx: client.as_ref().map(pbx_client).transpose()?.map(Arc::new),
        number: config.canary.number.clone(),
    })
}

/// Access to the PBX, if the route has a live leg (`bridge`, `transfer`).
fn live_leg_control(config: &Config) -> Option<&CallControl> {
    config.threecx.call_control.as_ref().filter(|_| config.call.route != Route::Callback)
}

/// Event feed and audio of the PBX.
fn pbx(config: &Config) -> Result<Option<PbxEngine>, AppError> {
    let Some(control) = live_leg_control(config) else { return Ok(None) };
    let base: Url = control.base.as_str().parse().map_err(AppError::PbxUrl)?;
    let media = MediaSettings { extra_ca: control.ca_file.clone(), ..MediaSettings::new(base) };
    Ok(Some(PbxEngine { media, pace: FeedPace::default(), second_stream: control.second_stream }))
}

/// What callers hear on their own leg.
fn live_leg(config: &Config, control: &CallControl) -> Result<LiveLegSettings, AppError> {
    let greeting = config.greeting.clone();
    Ok(LiveLegSettings {
        client: Arc::new(pbx_client(control)?),
        prompts: PromptSettings {
            cache_dir: config.greeting.prompt_cache_dir.clone(),
            model: config.greeting.model.clone(),
        },
        prompt_order: Arc::new(move |line| greeting.prompt_order(line)),
        lead_silence: config.greeting.lead_silence,
    })
}

pub(crate) fn default_line(config: &Config) -> Line {
    Line {
        id: LineId::new("default"),
        version: None,
        trial: None,
        account: "default".to_owned(),
        agent_id: config.elevenlabs.agent_id.clone(),
        phone_number_id: config.elevenlabs.phone_number_id.clone().unwrap_or_default(),
        notice: config.greeting.spoken_notice().map(str::to_owned),
        greeting_message: config.greeting.message.clone(),
        greeting_voice: config.greeting.voice.clone(),
        language: None,
        fallback_voice: config.call.fallback_voice.clone(),
        voice_policy: config.clone.policy,
        agent_destination: config.call.agent_destination.clone(),
        fallback_destination: config.call.fallback_destination.clone(),
        announcements: None,
        max_live_calls: None,
        rules: LineRules {
            route: config.call.route,
            voice_wait: config.call.voice_wait,
            auto_transition: config.call.auto_transition,
            ends_with_pbx_call: config.callback.ends_with_pbx_call,
            pin_wait: config.clone.pin_wait,
            clone_max_wait: config.clone.max_wait,
            ring_max: config.callback.ring_max,
            greeting_max: config.greeting.max,
            handoff_max: config.call.handoff_max,
            transfer_ring: config.call.transfer_ring,
            skip_key: config.greeting.skip_key,
            person_key: config.greeting.person_key,
            bridge: config.threecx.call_control.as_ref().map(|_| Arc::clone(&config.agent.bridge)),
            persons: Arc::clone(&config.agent.persons),
            conversation_max: config.call.conversation_max,
            report_grace: REPORT_GRACE,
            supervised: config.call.supervision && config.greeting.announces_supervision(),
        },
    }
}
