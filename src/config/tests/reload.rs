//! A reload applies what needs no restart, and nothing else.

use std::fs;
use std::path::Path;

use base64::Engine as _;

use super::super::{Config, ConfigSource, Kind, Restart, Variable, variables};
use super::LEAST;
use crate::app::{Snapshot, snapshot};

/// The settings of a service with a live leg, so that every variable has an effect.
const MORE: &[(&str, &str)] = &[
    ("THREECX_BASE_URL", "http://127.0.0.1:5001"),
    ("THREECX_CLIENT_ID", "900"),
    ("THREECX_CLIENT_SECRET", "pbx-key"),
    ("NOTICE_MESSAGE", "This call is recorded."),
    ("VOICE_WAIT", "start"),
    ("GREETING_MUSIC_ENABLED", "true"),
    ("DEFAULT_REGION", "DE"),
    ("INITIATION_SECRET", "initiation-secret-initiation"),
];

fn write(path: &Path, changes: &[(&str, &str)]) {
    let pairs = LEAST.iter().chain(MORE).filter(|(name, _)| !changes.iter().any(|(other, _)| other == name));
    let text: String = pairs.chain(changes).map(|(name, value)| format!("{name}='{value}'\n")).collect();
    fs::write(path, text).unwrap();
}

/// A running configuration that was read from a file, and the file.
fn running(changes: &[(&str, &str)]) -> (Config, tempfile::TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(".env");
    write(&path, changes);
    (Config::read(ConfigSource::File(path.clone())).unwrap(), folder, path)
}

/// Another valid value than the default and than that of the running configuration.
fn other(variable: &Variable, folder: &Path) -> String {
    let certificate = || {
        let path = folder.join("ca.pem");
        let made = rcgen::generate_simple_self_signed(["ca.example.com".to_owned()]).unwrap();
        let body = base64::engine::general_purpose::STANDARD.encode(made.cert.der());
        let pem = format!("-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n");
        fs::write(&path, pem).unwrap();
        path.display().to_string()
    };
    match variable.name {
        "API_KEYS" => format!("anna:read:{}", "0123456789abcdef".repeat(4)),
        "THREECX_WEBHOOK_TOKEN" => "token-token-token-token-token-token".to_owned(),
        "THREECX_CA_FILE" | "ALERT_CA_FILE" => certificate(),
        "OWN_NUMBERS" => "+493012345678".to_owned(),
        "DEFAULT_REGION" => "CH".to_owned(),
        "THREECX_BASE_URL" => "https://other.example.com".to_owned(),
        "THREECX_CLIENT_ID" => "901".to_owned(),
        "CANARY_CLIENT_ID" => "951".to_owned(),
        "CANARY_NUMBER" => "+493012345678".to_owned(),
        "ELEVENLABS_API_BASE" => "https://api.eu.elevenlabs.io".to_owned(),
        "INSTALLATION" => "other".to_owned(),
        "GREETING_MUSIC_ENABLED" => "false".to_owned(),
        "OTEL_EXPORTER_OTLP_ENDPOINT" => "http://127.0.0.1:4319".to_owned(),
        "OTEL_EXPORTER_OTLP_HEADERS" => "name=value".to_owned(),
        "HOST" => "127.0.0.1".to_owned(),
        "METRICS_ADDR" => "127.0.0.1:9191".to_owned(),
        "DATABASE_URL" => "postgresql://app:dbpass@other.example.com/precall".to_owned(),
        "CALL_ROUTE" => "callback".to_owned(),
        "FALLBACK_DTMF" => "7".to_owned(),
        "GREETING_SKIP_DTMF" => "8".to_owned(),
        "NOTICE_MESSAGE" => "Recorded.".to_owned(),
        "OTEL_EXPORTER_OTLP_PROTOCOL" => "http/json".to_owned(),
        "OTEL_TRACES_SAMPLER_ARG" => "0.5".to_owned(),
        _ => match variable.kind {
            Kind::Number { min, max, .. } => {
                let default = variable.default_text(super::Environment::Production);
                let end = if default == Some(max.to_string()) { min } else { max };
                end.to_string()
            }
            Kind::OneOf(words) => {
                let set = MORE.iter().find(|(name, _)| *name == variable.name);
                let default = variable.default_text(super::Environment::Production);
                let running = set.map(|(_, value)| (*value).to_owned()).or(default).unwrap_or_default();
                (*words.iter().find(|word| **word != running).unwrap()).to_owned()
            }
            Kind::Text => format!("other {}", variable.example),
            Kind::Secret if variable.example.contains("://") => variable.example.to_owned(),
            Kind::Secret => "another-secret-another-secret-1".to_owned(),
            Kind::List | Kind::Form(_) if !variable.example.is_empty() => variable.example.to_owned(),
            Kind::List | Kind::Form(_) => folder.join("other").display().to_string(),
        },
    }
}

/// Variables that are set together, or not at all.
fn companions(name: &str) -> &'static [(&'static str, &'static str)] {
    const MAIL: &[(&str, &str)] = &[
        ("ALERT_MAIL_TO", "a@example.com"),
        ("ALERT_MAIL_FROM", "b@example.com"),
        ("ALERT_SMTP_URL", "smtps://a:b@mail.example.org"),
    ];
    const WEBHOOK: &[(&str, &str)] = &[
        ("ALERT_WEBHOOK_URL", "https://alerts.example.org/x"),
        ("ALERT_WEBHOOK_SECRET", "alert-secret-alert-secret"),
    ];
    const S3: &[(&str, &str)] = &[
        ("S3_BUCKET_NAME", "bucket"),
        ("S3_REGION", "eu-west-1"),
        ("AWS_ACCESS_KEY_ID", "key"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
    ];
    const TRACES: &[(&str, &str)] =
        &[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318"), ("OTEL_TRACES_SAMPLER", "traceidratio")];
    const CANARY: &[(&str, &str)] =
        &[("CANARY_CLIENT_ID", "950"), ("CANARY_CLIENT_SECRET", "canary-secret-canary-secret")];
    match name {
        _ if name.starts_with("CANARY_") => CANARY,
        _ if name.starts_with("ALERT_MAIL") || name == "ALERT_SMTP_URL" => MAIL,
        _ if name.starts_with("ALERT_WEBHOOK") => WEBHOOK,
        _ if name.starts_with("S3_") || name.starts_with("AWS_") || name == "VOICE_SAMPLE_STORAGE" => S3,
        _ if name.starts_with("OTEL_") => TRACES,
        "NOTICE_MENTIONS_SUPERVISION" => &[("SUPERVISION", "true")],
        _ => &[],
    }
}

/// Changes this variable alone, and reloads. Returns what is wrong with the outcome.
fn changed_alone(variable: &Variable) -> Result<(), String> {
    let together = companions(variable.name);
    let (config, folder, path) = running(together);
    let before: Snapshot = snapshot(&config).unwrap();
    let value = other(variable, folder.path());
    let mut changes: Vec<_> = together.iter().filter(|(name, _)| *name != variable.name).copied().collect();
    changes.push((variable.name, &value));
    write(&path, &changes);
    let reloaded = config.reload().map_err(|error| error.to_string())?;
    let has_changed = before != snapshot(&reloaded.config).unwrap();
    let holds = |holds: bool, words: &str| {
        if holds { Ok(()) } else { Err(format!("{}={value}: {words} ({reloaded:?})", variable.name)) }
    };
    match variable.restart {
        Restart::NotNeeded => {
            holds(reloaded.changed == [variable.name], "is not said to be applied")?;
            holds(reloaded.needs_restart.is_empty(), "is said to need a restart")?;
            holds(has_changed, "is said to be applied, and nothing changed")
        }
        Restart::Needed => {
            // Another ENVIRONMENT or route has other defaults as well.
            holds(reloaded.needs_restart.contains(&variable.name), "is not said to need a restart")?;
            holds(reloaded.changed.is_empty(), "is said to be applied")?;
            holds(!has_changed, "needs a restart, and something changed")?;
            let value_of = |config: &Config| {
                config.shown().into_iter().find(|item| item.name == variable.name).map(|item| item.value)
            };
            holds(value_of(&config) == value_of(&reloaded.config), "is not shown as it was")
        }
    }
}

#[test]
fn a_reload_applies_each_variable_that_needs_no_restart_and_no_other() {
    let wrong: Vec<String> = variables().filter_map(|variable| changed_alone(variable).err()).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let applied = variables().filter(|variable| variable.restart == Restart::NotNeeded).count();
    assert!(applied > 60, "{applied}");
}

#[test]
fn an_error_names_the_variable_and_its_line_and_nothing_is_taken() {
    let (config, _folder, path) = running(&[]);
    let good = fs::read_to_string(&path).unwrap();
    let line = good.lines().count() + 2;
    fs::write(&path, format!("{good}GREETING_MESSAGE=New.\nMAX_LIVE_CALLS=many\n")).unwrap();
    let error = config.reload().unwrap_err().to_string();
    assert!(error.contains(&format!("MAX_LIVE_CALLS ({} line {line}): ", path.display())), "{error}");
    fs::write(&path, format!("{good}not a setting\n")).unwrap();
    let error = config.reload().unwrap_err().to_string();
    assert!(error.contains(&format!("(line {})", line - 1)), "{error}");
    fs::remove_file(&path).unwrap();
    let error = config.reload().unwrap_err().to_string();
    assert!(error.contains("is gone"), "{error}");
}

#[test]
fn the_whole_new_configuration_is_checked_and_so_is_what_a_restart_must_bring() {
    let (config, _folder, path) = running(&[]);
    write(&path, &[("PORT", "many")]);
    assert_eq!(config.reload().unwrap_err().problems[0].name, "PORT");
    // Good as a whole, and wrong as long as the route stays.
    write(&path, &[("CALL_ROUTE", "callback"), ("NOTICE_MESSAGE", "")]);
    let error = config.reload().unwrap_err().to_string();
    assert!(error.contains("NOTICE_MESSAGE") && error.contains("need a restart"), "{error}");
}

#[test]
fn a_secret_file_is_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("secret");
    fs::write(&secret, "the-first-secret-the-first-secret\n").unwrap();
    let secret_path = secret.to_str().unwrap();
    let (config, _folder, _) = running(&[("WEBHOOK_SECRET", ""), ("WEBHOOK_SECRET_FILE", secret_path)]);
    assert!(config.reload().unwrap().changed.is_empty());
    fs::write(&secret, "the-second-secret-the-second-secret\n").unwrap();
    let reloaded = config.reload().unwrap();
    assert_eq!(reloaded.changed, ["WEBHOOK_SECRET"]);
    assert!(snapshot(&config).unwrap() != snapshot(&reloaded.config).unwrap());
    fs::remove_file(&secret).unwrap();
    assert_eq!(config.reload().unwrap_err().problems[0].name, "WEBHOOK_SECRET_FILE");
}

#[test]
fn each_value_says_where_it_came_from() {
    let (config, _folder, path) = running(&[("PORT", "4000"), ("GREETING_MESSAGE", "Two\nlines.")]);
    let text = fs::read_to_string(&path).unwrap();
    let line_of = |start: &str| text.lines().position(|line| line.starts_with(start)).unwrap() + 1;
    for name in ["PORT", "GREETING_MESSAGE", "ELEVENLABS_AGENT_ID"] {
        let shown = config.show();
        let shown = shown.lines().find(|line| line.starts_with(&format!("{name} "))).unwrap();
        let place = format!("({} line {})", path.display(), line_of(&format!("{name}=")));
        assert!(shown.ends_with(&place), "{shown}: {place}");
    }
    assert!(config.show().contains("info (default)"));
}
