//! Holds compose.yaml, scripts/compose-setup and the code together.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use precall_call::Route;
use serde_json::{Value, json};

use crate::config::{Config, read_environment, variables};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

fn composition() -> Value {
    let text = std::fs::read_to_string(Path::new(ROOT).join("compose.yaml")).unwrap();
    serde_saphyr::from_str(&text).unwrap()
}

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().into_iter().flatten().map(|(key, _)| key.as_str()).collect()
}

/// What compose makes of `${NAME:-default}` when the variable is not set.
fn by_default(text: &str) -> String {
    let mut parts = text.split("${");
    let mut made = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (variable, rest) = part.split_once('}').unwrap();
        made.push_str(variable.split_once(":-").unwrap().1);
        made.push_str(rest);
    }
    made
}

/// What precall gets in its container, after `scripts/compose-setup WAY` in an empty folder.
fn settings(way: &str, folder: &Path) -> BTreeMap<String, String> {
    let script = Path::new(ROOT).join("scripts/compose-setup");
    let mut setup = Command::new(script);
    setup.arg(way).env("SETUP_FOLDER", folder);
    for secret in ["ELEVENLABS_API_KEY", "WEBHOOK_SECRET", "THREECX_CLIENT_SECRET"] {
        setup.env(secret, format!("{secret}-of-a-provider-0123456789"));
    }
    for name in ["POSTGRES_USER", "POSTGRES_DB", "INITIATION_SECRET", "THREECX_WEBHOOK_SECRET"] {
        setup.env_remove(name);
    }
    let said = setup.output().unwrap();
    assert!(said.status.success(), "{said:?}");
    let file = folder.join(".env");
    let text = std::fs::read_to_string(&file).unwrap();
    let text = text
        .replace("DEFAULT_REGION=CHANGE_ME", "DEFAULT_REGION=US")
        .replace("OWN_NUMBERS=CHANGE_ME", "OWN_NUMBERS=+12025550199")
        .replace("https://CHANGE_ME", "https://pbx.example.com");
    std::fs::write(&file, text).unwrap();
    let here: BTreeMap<String, String> = std::env::vars().collect();
    let mut set = read_environment(&file).unwrap();
    set.retain(|name, _| !here.contains_key(name));
    for (name, value) in composition()["services"]["precall"]["environment"].as_object().unwrap() {
        set.insert(name.clone(), by_default(value.as_str().unwrap()));
    }
    let secrets = folder.join("data/secrets/precall").display().to_string();
    set.into_iter().map(|(name, value)| (name, value.replace("/run/secrets", &secrets))).collect()
}

#[test]
fn the_setup_of_each_way_is_a_configuration_without_warnings() {
    for (way, route) in
        [("bridge", Route::Bridge), ("callback", Route::Callback), ("simulators", Route::Bridge)]
    {
        let folder = tempfile::tempdir().unwrap();
        let set = settings(way, folder.path());
        let config = Config::from_map(&set).unwrap();
        assert_eq!(config.call.route, route, "{way}");
        assert!(config.warnings().is_empty(), "{way}: {:?}", config.warnings());
        assert!(!config.api_keys.is_empty(), "{way}: the API is closed");
        let again = settings(way, folder.path());
        assert_eq!(set, again, "{way}: a second setup changes nothing");
    }
}

#[test]
fn the_simulators_know_the_words_of_the_setup() {
    let folder = tempfile::tempdir().unwrap();
    let set = settings("simulators", folder.path());
    let secret = |name: &str| std::fs::read_to_string(&set[&format!("{name}_FILE")]).unwrap();
    let services = &composition()["services"];
    let given = |service: &str, flag: &str| {
        let flag = format!("--{flag}=");
        let command = services[service]["command"].as_array().unwrap().iter();
        command.filter_map(|word| word.as_str()?.strip_prefix(&flag)).next().unwrap_or_default().to_owned()
    };
    assert_eq!(given("elevenlabs", "api-key"), secret("ELEVENLABS_API_KEY"));
    assert_eq!(given("elevenlabs", "webhook-secret"), secret("WEBHOOK_SECRET"));
    assert_eq!(given("elevenlabs", "initiation-secret"), secret("INITIATION_SECRET"));
    assert_eq!(given("threecx", "client-secret"), secret("THREECX_CLIENT_SECRET"));
    assert_eq!(given("threecx", "webhook-secret"), secret("THREECX_WEBHOOK_SECRET"));
    assert_eq!(given("threecx", "client-id"), set["THREECX_CLIENT_ID"]);
    assert!(set["ELEVENLABS_API_BASE"].ends_with(&given("elevenlabs", "port")));
    assert!(set["THREECX_BASE_URL"].ends_with(&given("threecx", "port")));
}

/// No secret of precall stands in the composition: each is named by a file.
#[test]
fn every_secret_of_the_composition_is_a_file() {
    let composition = composition();
    let environment = &composition["services"]["precall"]["environment"];
    let secrets: Vec<&str> = variables().filter(|variable| variable.is_secret()).map(|v| v.name).collect();
    for (name, value) in environment.as_object().unwrap() {
        assert!(!secrets.contains(&name.as_str()), "{name} is set openly");
        let Some(secret) = name.strip_suffix("_FILE") else { continue };
        assert!(secrets.contains(&secret), "{name} is no secret");
        assert_eq!(value, &json!(format!("/run/secrets/{}", secret.to_lowercase())));
    }
    for way in ["bridge", "callback", "simulators"] {
        let text =
            std::fs::read_to_string(Path::new(ROOT).join(format!("deploy/compose/{way}.env"))).unwrap();
        for line in text.lines() {
            let name = line.split_once('=').map_or("", |(name, _)| name);
            assert!(!secrets.contains(&name), "{way}: {line}");
        }
    }
}

#[test]
fn every_container_is_confined_and_the_default_is_for_production() {
    let composition = composition();
    let services = composition["services"].as_object().unwrap();
    for (name, service) in services {
        assert_eq!(service["read_only"], json!(true), "{name}");
        assert_eq!(service["cap_drop"], json!(["ALL"]), "{name}");
        assert_eq!(service["security_opt"], json!(["no-new-privileges:true"]), "{name}");
        assert!(service.get("privileged").is_none(), "{name}");
    }
    let without_profile: Vec<&str> = services
        .iter()
        .filter(|(_, service)| service.get("profiles").is_none())
        .map(|(name, _)| name.as_str())
        .collect();
    assert_eq!(without_profile, ["postgres", "precall"]);
    assert_eq!(services["precall"]["build"]["target"], json!("precall"));
    assert_eq!(services["elevenlabs"]["build"]["target"], json!("simulators"));
    let dockerfile = std::fs::read_to_string(Path::new(ROOT).join("Dockerfile")).unwrap();
    let last = dockerfile.lines().rfind(|line| line.starts_with("FROM ")).unwrap();
    assert_eq!(last, "FROM scratch AS precall", "what is built when no target is named");
    let rust = dockerfile.lines().find_map(|line| line.strip_prefix("ARG RUST_IMAGE=")).unwrap();
    let argument = services["precall"]["build"]["args"]["RUST_IMAGE"].as_str().unwrap();
    assert_eq!(by_default(argument), rust);
    assert_eq!(keys(&services["precall"]["build"]["args"]), ["RUST_IMAGE"]);
}

/// `DRAIN_TIMEOUT_SECONDS`, then what DEPLOYMENT says on top of it.
#[test]
fn the_engine_waits_for_the_drain() {
    let folder = tempfile::tempdir().unwrap();
    let config = Config::from_map(&settings("bridge", folder.path())).unwrap();
    let composition = composition();
    let precall = &composition["services"]["precall"];
    let grace = precall["stop_grace_period"].as_str().unwrap().trim_end_matches('s').parse::<u64>().unwrap();
    assert_eq!(grace, config.server.drain_timeout.as_secs() + 15);
    let files = precall["ulimits"]["nofile"].as_u64().unwrap();
    assert!(files >= 200 + 6 * 10_000, "{files}: too few for 10,000 calls");
}
