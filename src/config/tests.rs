//! The configuration as a whole: what `serve` accepts, and how it refuses other values.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop at what it did not expect")]

mod composition;
mod definitions;
mod reload;
mod supervision;
mod traces;
mod voices;

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use precall_actors::limits::budgets::BudgetLimits;
use precall_audio::prompts::HoldOrder;
use precall_base::phone_number::CallerNumber;
use precall_call::{Route, VoiceWait};

use super::{Config, ConfigError, CorsOrigins, DatabaseSource, Environment, WebhookAuth, show};

/// The least that `serve` needs in production.
const LEAST: &[(&str, &str)] = &[
    ("ELEVENLABS_API_KEY", "sk_0123456789abcdef"),
    ("ELEVENLABS_AGENT_ID", "agent_1"),
    ("ELEVENLABS_PHONE_NUMBER_ID", "phnum_1"),
    ("THREECX_WEBHOOK_SECRET", "three-secret-three-secret"),
    ("WEBHOOK_SECRET", "eleven-secret-eleven-secret"),
    ("DATABASE_URL", "postgresql://app:dbpass@db.example.com/precall"),
];

fn with(more: &[(&str, &str)]) -> Result<Config, ConfigError> {
    Config::from_pairs(LEAST.iter().chain(more).copied())
}

/// The wrong variables' names, in order.
fn wrong(result: Result<Config, ConfigError>) -> Vec<String> {
    result.unwrap_err().problems.into_iter().map(|problem| problem.name).collect()
}

#[test]
fn one_message_names_the_missing_the_misspelt_and_the_unknown() {
    let set = [
        ("ELEVENLABS_API_KEY", "sk_0123456789abcdef"),
        ("ELEVENLAB_AGENT_ID", "agent_1"),
        ("DATABSE_URL", "postgresql://app:dbpass@db.example.com/precall"),
        ("THREECX_COLOUR", "red"),
        ("PORT", "many"),
        ("PATH", "/bin"),
    ];
    let text = Config::from_pairs(set).unwrap_err().to_string();
    for needed in [
        "ELEVENLABS_AGENT_ID: is required and not set",
        "DATABASE_URL: is required and not set",
        "PORT: ",
        "ELEVENLAB_AGENT_ID is not a variable of precall and has no effect; did you mean ELEVENLABS_AGENT_ID?",
        "DATABSE_URL is not a variable of precall and has no effect; did you mean DATABASE_URL?",
        "THREECX_COLOUR is not a variable of precall",
    ] {
        assert!(text.contains(needed), "{needed}: {text}");
    }
    assert!(!text.contains("dbpass") && !text.contains("PATH is"), "{text}");
    // Commands that need one section say it too.
    let text = Config::database_from_map(&[("DATABSE_URL".to_owned(), "x".to_owned())].into()).unwrap_err();
    assert!(text.to_string().contains("did you mean DATABASE_URL?"), "{text}");
}

fn notices(more: &[(&str, &str)]) -> String {
    with(more).unwrap().notices().join("\n")
}

#[test]
fn the_start_says_whom_precall_calls_back() {
    let unset = notices(&[]);
    assert!(unset.contains("no country is set") && unset.contains("OWN_NUMBERS is not set"), "{unset}");
    for (name, value) in
        [("CALLBACK_COUNTRIES", "DE"), ("DEFAULT_REGION", "DE"), ("OWN_NUMBERS", "+493012345678")]
    {
        let said = notices(&[(name, value)]);
        assert!(!said.contains("no country is set"), "{name}: {said}");
        assert_eq!(said.contains("OWN_NUMBERS is not set"), name != "OWN_NUMBERS", "{said}");
    }
    assert!(notices(&[("OWN_NUMBERS", "900, +80012345678")]).contains("no country is set"));
}

#[test]
fn the_least_is_enough_and_the_defaults_are_the_documented_ones() {
    let config = with(&[]).unwrap();
    assert_eq!(config.environment, Environment::Production);
    assert_eq!(config.installation, "default");
    assert_eq!(config.server.listen.to_string(), "0.0.0.0:3006");
    assert_eq!(config.server.probe_address().to_string(), "127.0.0.1:3006");
    assert_eq!(config.elevenlabs.api_base.as_str(), "https://api.elevenlabs.io");
    assert_eq!(config.call.route, Route::Callback);
    assert_eq!(config.call.voice_wait, VoiceWait::Hold);
    assert!(config.call.auto_transition);
    assert_eq!(config.call.max_live, 500);
    assert_eq!(config.clone.max_wait, Duration::from_secs(35));
    assert_eq!(config.clone.timeout, Duration::from_secs(30));
    assert_eq!(config.clone.cache_ttl, Duration::from_secs(86_400));
    assert!(config.clone.consent_required);
    assert_eq!(config.greeting.max, Duration::from_secs(15));
    assert_eq!(config.callback.ring_max, Duration::from_secs(45));
    assert_eq!(config.callback.limit_per_number_hour, 3);
    assert_eq!(config.webhooks.body_limit, 1_048_576);
    assert_eq!(config.webhooks.transcription_body_limit(), 16 * 1_048_576);
    assert_eq!(config.log.level, slog::Level::Info);
    assert!(config.api_keys.is_empty());
    assert!(config.warnings().is_empty());
}

#[test]
fn nothing_set_names_everything_that_is_required() {
    let required = [
        "DATABASE_URL",
        "ELEVENLABS_AGENT_ID",
        "ELEVENLABS_API_KEY",
        "ELEVENLABS_PHONE_NUMBER_ID",
        "THREECX_WEBHOOK_SECRET",
        "WEBHOOK_SECRET",
    ];
    assert_eq!(wrong(Config::from_map(&BTreeMap::new())), required);
    let empty = required.map(|name| (name, "  "));
    assert_eq!(wrong(Config::from_pairs(empty)), required, "empty is unset");
}

#[test]
fn one_error_lists_every_wrong_variable() {
    let error = with(&[
        ("PORT", "70000"),
        ("CACHE_TTL", "a day"),
        ("LOG_LEVEL", "loud"),
        ("GREETING_MUSIC_ENABLED", "maybe"),
        ("THREECX_TRUSTED_IPS", "10.0.0.1, example.com"),
        ("ENVIRONMENT", "staging"),
        ("CALLBACK_COUNTRIES", "DE, UK"),
        ("INSTALLATION", "Main Office"),
        ("API_KEYS", "board:read:not-a-hash"),
    ])
    .unwrap_err();
    let text = error.to_string();
    assert_eq!(
        error.problems.iter().map(|problem| problem.name.as_str()).collect::<Vec<_>>(),
        [
            "API_KEYS",
            "CACHE_TTL",
            "CALLBACK_COUNTRIES",
            "ENVIRONMENT",
            "GREETING_MUSIC_ENABLED",
            "INSTALLATION",
            "LOG_LEVEL",
            "PORT",
            "THREECX_TRUSTED_IPS"
        ]
    );
    assert!(text.starts_with("the configuration has 9 problems:\n"), "{text}");
    assert!(
        text.contains("CACHE_TTL: `a day` is not a whole number; right would be: 1 to 315360000 seconds"),
        "{text}"
    );
    assert!(text.contains("CALLBACK_COUNTRIES: `UK` is no country; right would be: GB"), "{text}");
    assert!(!text.contains("not-a-hash"), "{text}");
}

#[test]
fn budgets_are_none_until_they_are_set_and_then_not_zero() {
    let config = with(&[]).unwrap();
    assert_eq!(config.budget.limits, BudgetLimits::default());
    assert_eq!((config.budget.agent_concurrency, config.threecx.simultaneous_calls), (None, None));
    let config = with(&[
        ("BUDGET_CALLER_CLONES_PER_DAY", "1"),
        ("BUDGET_CALLER_LIVE_CALLS", "2"),
        ("BUDGET_CALLER_CALLS_PER_HOUR", "3"),
        ("BUDGET_CLONES_PER_DAY", "4"),
        ("BUDGET_AGENT_MINUTES_PER_DAY", "5"),
        ("BUDGET_COST_PER_DAY", "6"),
        ("AGENT_CONCURRENCY", "7"),
        ("THREECX_SIMULTANEOUS_CALLS", "8"),
    ])
    .unwrap();
    let expected = BudgetLimits {
        caller_clones_per_day: Some(1),
        caller_live_calls: Some(2),
        caller_calls_per_hour: Some(3),
        clones_per_day: Some(4),
        agent_minutes_per_day: Some(5),
        cost_per_day: Some(6),
    };
    assert_eq!(config.budget.limits, expected);
    assert_eq!((config.budget.agent_concurrency, config.threecx.simultaneous_calls), (Some(7), Some(8)));
    assert_eq!(wrong(with(&[("BUDGET_CLONES_PER_DAY", "0")])), ["BUDGET_CLONES_PER_DAY"]);
}

#[test]
fn no_secret_is_shown_by_anything() {
    let secrets = ["sk_0123456789abcdef", "three-secret", "eleven-secret", "dbpass"];
    let mut said = vec![];
    let config = with(&[]).unwrap();
    said.push(format!("{config:?}"));
    said.push(config.show());
    said.extend(config.notices().iter().cloned());
    let set: BTreeMap<String, String> =
        LEAST.iter().map(|(name, value)| ((*name).to_owned(), format!("{value}\n{value}"))).collect();
    said.push(show(&set));
    said.push(Config::from_map(&set).unwrap_err().to_string());
    for secret in secrets {
        for text in &said {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
    }
    let key = config.shown().into_iter().find(|item| item.name == "ELEVENLABS_API_KEY").unwrap();
    assert_eq!(key.value.as_deref(), Some("set"));
}

#[test]
fn telephone_numbers_are_masked_when_shown() {
    let config = with(&[("OWN_NUMBERS", "+441632960961, 900")]).unwrap();
    let stored =
        |number: &CallerNumber| precall_actors::call::call_context::stored_number(number).map(str::to_owned);
    let own: Vec<_> = config.callback.own_numbers.iter().filter_map(stored).collect();
    assert_eq!(own, ["+441632960961", "900"]);
    assert!(!config.show().contains("441632960961"));
    let error = with(&[("OWN_NUMBERS", "01632960961")]).unwrap_err();
    assert!(!error.to_string().contains("960961"), "{error}");
}

#[test]
fn production_requires_both_secrets_and_development_requires_loopback() {
    let mut set: BTreeMap<_, _> = LEAST.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
    set.remove("THREECX_WEBHOOK_SECRET");
    set.remove("WEBHOOK_SECRET");
    assert_eq!(wrong(Config::from_map(&set)), ["THREECX_WEBHOOK_SECRET", "WEBHOOK_SECRET"]);

    set.insert("ENVIRONMENT".into(), "Development".into());
    let config = Config::from_map(&set).unwrap();
    assert!(config.server.listen.ip().is_loopback());
    assert!(matches!(config.webhooks.threecx.auth, WebhookAuth::OpenInDevelopment));
    assert!(config.notices().iter().any(|notice| notice.starts_with("WEBHOOK_SECRET is not set")));

    set.insert("HOST".into(), "::1".into());
    assert!(Config::from_map(&set).is_ok());
    set.insert("HOST".into(), "0.0.0.0".into());
    set.insert("METRICS_ADDR".into(), "10.0.0.1:9090".into());
    assert_eq!(wrong(Config::from_map(&set)), ["HOST", "METRICS_ADDR"]);
}

#[test]
fn a_secret_may_come_from_a_file_and_never_from_two_places() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("secret");
    fs::write(&file, "from-the-file-from-the-file\n").unwrap();
    let path = file.to_str().unwrap();
    let both = with(&[("WEBHOOK_SECRET_FILE", path)]);
    assert_eq!(wrong(both), ["WEBHOOK_SECRET_FILE"]);

    let config = with(&[("WEBHOOK_SECRET", ""), ("WEBHOOK_SECRET_FILE", path)]).unwrap();
    assert!(matches!(&config.webhooks.elevenlabs.auth,
            WebhookAuth::Signed(secret) if secret.expose() == "from-the-file-from-the-file"));
    assert!(config.show().contains(&format!("set (secret file {path})")), "{}", config.show());

    for bad in [dir.path().join("none"), dir.path().to_owned(), "/dev/zero".into()] {
        let names = wrong(with(&[("WEBHOOK_SECRET", ""), ("WEBHOOK_SECRET_FILE", bad.to_str().unwrap())]));
        assert_eq!(names, ["WEBHOOK_SECRET_FILE"]);
    }
}

#[test]
fn an_unreadable_secret_never_turns_protection_off() {
    let set =
        [("ENVIRONMENT", "development"), ("WEBHOOK_SECRET", ""), ("WEBHOOK_SECRET_FILE", "/nowhere/at/all")];
    assert_eq!(wrong(with(&set)), ["WEBHOOK_SECRET_FILE"]);
    let set =
        [("ENVIRONMENT", "development"), ("DATABASE_URL", ""), ("DATABASE_URL_FILE", "/nowhere/at/all")];
    assert_eq!(wrong(with(&set)), ["DATABASE_URL_FILE"]);
}

#[test]
#[cfg(feature = "simulators")]
fn the_embedded_database_is_used_where_it_is_allowed() {
    assert_eq!(wrong(with(&[("DATABASE_URL", "")])), ["DATABASE_URL"]);
    let config = with(&[("DATABASE_URL", ""), ("EMBEDDED_DATABASE", "yes")]).unwrap();
    assert!(matches!(&config.database.source, DatabaseSource::Embedded { directory }
        if directory.to_str() == Some("/var/lib/precall/postgres")));
    assert!(config.notices().iter().any(|notice| notice.contains("embedded database")));
    let config = with(&[("DATABASE_URL", ""), ("ENVIRONMENT", "development")]).unwrap();
    assert!(matches!(config.database.source, DatabaseSource::Embedded { .. }));
    let external = with(&[("ENVIRONMENT", "development")]).unwrap();
    assert!(matches!(external.database.source, DatabaseSource::External(_)));
}

#[test]
#[cfg(not(feature = "simulators"))]
fn a_build_without_an_embedded_database_requires_an_address() {
    for set in [("ENVIRONMENT", "development"), ("EMBEDDED_DATABASE", "yes")] {
        assert_eq!(wrong(with(&[("DATABASE_URL", ""), set])), ["DATABASE_URL"]);
    }
}

#[test]
fn words_are_read_in_any_case() {
    for (name, value) in [("CALL_ROUTE", "Callback"), ("STORE_RECORDINGS", "off")] {
        assert!(with(&[(name, value)]).is_ok(), "{name}");
    }
}

#[test]
fn a_startup_warning_names_the_route_that_was_selected() {
    let notice = |config: &Config| config.notices().iter().find(|n| n.starts_with("CALL_ROUTE")).cloned();
    assert!(notice(&with(&[]).unwrap()).unwrap().contains("not configured"));
    assert_eq!(notice(&with(&[("CALL_ROUTE", "callback")]).unwrap()), None);
    let call_control = [
        ("THREECX_BASE_URL", "https://pbx.example.com:5001"),
        ("THREECX_CLIENT_ID", "900"),
        ("THREECX_CLIENT_SECRET", "pbx-key"),
    ];
    assert_eq!(wrong(with(&call_control)), ["NOTICE_MESSAGE"]);
    let live: Vec<_> = call_control.into_iter().chain([("NOTICE_GIVEN_BY", "pbx")]).collect();
    let config = with(&live).unwrap();
    assert_eq!(config.call.route, Route::Bridge);
    assert!(notice(&config).unwrap().contains("on their own line"));
    assert_eq!(config.threecx.call_control.unwrap().client_id, "900");
    assert_eq!(wrong(with(&call_control[..1])), ["THREECX_CLIENT_ID", "THREECX_CLIENT_SECRET"]);
}

#[test]
fn an_unusable_certificate_file_says_what_is_needed() {
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().join("empty.pem");
    fs::write(&empty, "").unwrap();
    for path in [&empty, &folder.path().join("missing.pem")] {
        let text = path.display().to_string();
        let error = with(&[("THREECX_CA_FILE", &text)]).unwrap_err();
        assert_eq!(error.problems[0].name, "THREECX_CA_FILE");
        assert!(error.problems[0].wrong.contains(&text) && error.to_string().contains("PEM file"), "{error}");
    }
}

#[test]
fn lists_are_read_in_both_forms() {
    let config = with(&[
        ("CORS_ORIGINS", r#"["https://a.example/", "http://localhost:8080"]"#),
        ("TRUSTED_PROXIES", "10.0.0.1, 192.168.0.0/16"),
        ("ELEVENLABS_TRUSTED_IPS", r#"["34.67.146.145", "34.59.11.47"]"#),
        ("CALLBACK_COUNTRIES", "gb, IE"),
    ])
    .unwrap();
    let origins = ["https://a.example", "http://localhost:8080"].map(str::to_owned).to_vec();
    assert_eq!(config.server.cors_origins, CorsOrigins::These(origins));
    assert!(config.server.trusted_proxies.contains("192.168.7.7".parse().unwrap()));
    assert!(config.webhooks.elevenlabs.trusted_ips.unwrap().contains("34.59.11.47".parse().unwrap()));
    assert!(config.webhooks.threecx.trusted_ips.is_none());
    assert_eq!(config.callback.countries.len(), 2);
    assert_eq!(with(&[("CORS_ORIGINS", "*")]).unwrap().server.cors_origins, CorsOrigins::Any);
    assert_eq!(wrong(with(&[("CORS_ORIGINS", "https://a.example/path")])), ["CORS_ORIGINS"]);
}

#[test]
fn unknown_variables_are_warnings() {
    let config =
        with(&[("GREETING_MAX_SECOND", "5"), ("PATH", "/bin"), ("WEBHOOK_SECRET_FILE", "")]).unwrap();
    assert_eq!(config.warnings().len(), 1, "{:?}", config.warnings());
    assert!(config.warnings()[0].contains("did you mean GREETING_MAX_SECONDS?"));
}

#[test]
fn commands_that_need_one_section_ignore_the_others() {
    let set: BTreeMap<String, String> = [
        ("DATABASE_URL", "postgres://u@h/d"),
        ("PORT", "0"),
        ("LOG_LEVEL", "debug"),
        ("CACHE_TTL", "never"),
        ("WEBHOOK_SECRET_FILE", "/nowhere/at/all"),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .collect();
    assert!(matches!(Config::database_from_map(&set).unwrap().source, DatabaseSource::External(_)));
    assert_eq!(Config::server_from_map(&set).unwrap().listen.port(), 0);
    assert_eq!(Config::log_from_map(&set).unwrap().level, slog::Level::Debug);
    let missing = Config::database_from_map(&BTreeMap::new()).unwrap_err();
    assert_eq!(missing.problems[0].name, "DATABASE_URL");
    let unreadable = [("DATABASE_URL_FILE".to_owned(), "/nowhere/at/all".to_owned())].into();
    assert_eq!(Config::database_from_map(&unreadable).unwrap_err().problems[0].name, "DATABASE_URL_FILE");
}

#[test]
fn the_greeting_speaks_the_notice_first() {
    let config = with(&[("NOTICE_MESSAGE", "Recorded."), ("GREETING_MESSAGE", "Hello.")]).unwrap();
    assert_eq!(config.greeting.spoken_notice(), Some("Recorded."));
    let config =
        with(&[("NOTICE_MESSAGE", "R."), ("NOTICE_GIVEN_BY", "pbx"), ("GREETING_MESSAGE", "Hello.")])
            .unwrap();
    assert_eq!(config.greeting.spoken_notice(), None);
    let default = with(&[]).unwrap().greeting.message;
    assert!(default.contains("artificial voice") && default.contains("recorded"), "{default}");
}

#[test]
fn the_greeting_settings_reach_the_prompts_of_a_line() {
    let config = with(&[
        ("GREETING_VOICE_ID", "voice_1"),
        ("GREETING_AUDIO_FILE", "/data/greeting.wav"),
        ("GREETING_MUSIC_URL", "file:///data/music.mp3"),
        ("GREETING_SKIP_DTMF", "#"),
        ("FALLBACK_DTMF", "0"),
        ("NOTICE_MESSAGE", r#"{"en": "Recorded.", "nl": "Opgenomen."}"#),
    ])
    .unwrap();
    let greeting = &config.greeting;
    assert_eq!((greeting.skip_key, greeting.person_key), (Some('#'), Some('0')));
    assert_eq!(greeting.prompt_cache_dir.to_str(), Some("/var/lib/precall/prompts"));
    assert_eq!(greeting.lead_silence, Duration::from_millis(300));
    assert_eq!(greeting.hold, HoldOrder::File("/data/music.mp3".into()));

    let mut line = crate::app::default_line(&config);
    line.language = Some("nl".to_owned());
    let order = greeting.prompt_order(&line);
    let notice = order.notice.unwrap();
    assert_eq!((notice.text.as_str(), notice.language.as_deref()), ("Opgenomen.", Some("nl")));
    assert_eq!(notice.voice.unwrap().as_str(), "voice_1");
    assert_eq!(order.greeting_file.unwrap().to_str(), Some("/data/greeting.wav"));
    assert_eq!(order.greeting.unwrap().text, greeting.message);
    assert_eq!(order.apology.unwrap().text, greeting.apology);

    line.greeting_message = "Welcome to the other house.".to_owned();
    let order = greeting.prompt_order(&line);
    assert_eq!((order.greeting_file, order.greeting.unwrap().text), (None, line.greeting_message.clone()));

    let silent =
        with(&[("GREETING_MUSIC_ENABLED", "no"), ("NOTICE_GIVEN_BY", "pbx"), ("NOTICE_MESSAGE", "R.")]);
    let order = silent.unwrap().greeting.prompt_order(&line);
    assert_eq!((order.hold, order.notice), (HoldOrder::Silence, None));
}

#[test]
fn one_key_has_one_meaning_and_silence_has_a_limit() {
    let error = with(&[("GREETING_SKIP_DTMF", "1"), ("FALLBACK_DTMF", "1")]).unwrap_err();
    let text = error.to_string();
    assert!(text.contains("FALLBACK_DTMF: is `1`, which is GREETING_SKIP_DTMF as well"), "{text}");
    assert!(with(&[("GREETING_SKIP_DTMF", "1"), ("FALLBACK_DTMF", "0")]).is_ok());
    assert_eq!(wrong(with(&[("FALLBACK_DTMF", "00")])), ["FALLBACK_DTMF"]);
    assert_eq!(wrong(with(&[("GREETING_LEAD_SILENCE_MS", "2001")])), ["GREETING_LEAD_SILENCE_MS"]);
}

#[test]
fn a_transfer_says_what_it_needs_and_never_leads_back_to_precall() {
    let control = [
        ("THREECX_BASE_URL", "https://pbx.example.com:5001"),
        ("THREECX_CLIENT_ID", "900"),
        ("THREECX_CLIENT_SECRET", "pbx-key"),
        ("NOTICE_GIVEN_BY", "pbx"),
    ];
    let alone = with(&[("CALL_ROUTE", "transfer"), ("NOTICE_GIVEN_BY", "pbx")]).unwrap_err().to_string();
    assert!(alone.contains("THREECX_BASE_URL"), "{alone}");
    let and = |more: &[(&'static str, &'static str)]| {
        let all: Vec<_> = control.iter().chain(more).copied().collect();
        with(&all)
    };
    let without_trunk = and(&[("CALL_ROUTE", "transfer")]).unwrap_err().to_string();
    assert!(without_trunk.contains("AGENT_DESTINATION"), "{without_trunk}");
    for name in ["AGENT_DESTINATION", "FALLBACK_DESTINATION"] {
        let error = and(&[(name, "900")]).unwrap_err();
        assert_eq!(error.problems[0].name, name, "{error}");
    }
    assert!(and(&[("AGENT_DESTINATION", "800"), ("FALLBACK_DESTINATION", "801")]).is_ok());
}

#[test]
fn a_secret_inside_of_a_value_is_hidden_by_itself() {
    with(&[
        ("DATABASE_URL", "postgresql://precall:pass%2Fword-of-the-database@db.example.com/precall"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318"),
        (
            "OTEL_EXPORTER_OTLP_HEADERS",
            "x-key=key-of-the-collector,authorization=Bearer%20token-of-the-collector",
        ),
    ])
    .unwrap();
    for secret in ["pass/word-of-the-database", "key-of-the-collector", "token-of-the-collector"] {
        assert_eq!(precall_base::redact::hide(&format!("no {secret} here")), "no *** here");
    }
}
