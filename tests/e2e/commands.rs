//! The commands other than `serve`: their output and exit codes.

use nix::sys::signal::Signal;

use crate::program::{API_KEY, Run, free_port};
use crate::support::{KEY, SECRET, allow_override, connect_to, database, empty_database, http_client, until};

const NOWHERE: &str = "http://127.0.0.1:9";

fn service() -> Run {
    Run::of(&["serve"]).in_production(
        "postgresql://nobody:pass-of-nobody@127.0.0.1:9/none",
        NOWHERE,
        "/nonexistent",
    )
}

#[actix::test]
async fn a_bad_configuration_exits_with_2_and_one_message_names_every_error() {
    let run = service()
        .env("PORT", "seventy")
        .env("MAX_LIVE_CALLS", "0")
        .env("CALL_ROUTE", "bridge")
        .env("CONSENT_REQUIRED", "perhaps")
        .env("ELEVENLABS_API_KEY", "")
        .env("WEBHOOK_SECRET", " ")
        .env("DATABASE_URL", "mysql://me:hidden-password@host/db")
        .env("OWN_NUMBERS", "abc")
        .env("API_KEYS", "hidden-entry");
    let wrong = [
        "PORT",
        "MAX_LIVE_CALLS",
        "CALL_ROUTE",
        "CONSENT_REQUIRED",
        "ELEVENLABS_API_KEY",
        "WEBHOOK_SECRET",
        "DATABASE_URL",
        "OWN_NUMBERS",
        "API_KEYS",
    ];
    for command in [&["serve"][..], &[], &["check"], &["config", "show"]] {
        let ended = run.clone().arguments(command).end().await;
        assert_eq!(ended.code, Some(2), "{command:?}: {}", ended.stderr);
        assert_eq!(ended.stdout, "", "{command:?}");
        assert!(ended.stderr.starts_with("precall: the configuration has 9 problems:"), "{}", ended.stderr);
        for name in wrong {
            assert!(ended.stderr.contains(&format!("\n  {name}: ")), "{command:?} {name}: {}", ended.stderr);
        }
        assert!(!ended.stderr.contains("hidden"), "a secret: {}", ended.stderr);
    }
}

#[actix::test]
async fn production_requires_its_secrets_and_a_database() {
    let ended = Run::of(&["serve"]).env("HOST", "127.0.0.1").end().await;
    assert_eq!(ended.code, Some(2));
    for name in [
        "DATABASE_URL",
        "THREECX_WEBHOOK_SECRET",
        "WEBHOOK_SECRET",
        "ELEVENLABS_API_KEY",
        "ELEVENLABS_AGENT_ID",
    ] {
        assert!(ended.stderr.contains(&format!("\n  {name}: ")), "{name}: {}", ended.stderr);
    }
}

#[actix::test]
async fn wrong_usage_exits_with_2() {
    for command in
        [&["dance"][..], &["demo", "--calls", "0"], &["demo", "--rate", "-1"], &["simulate"], &["sign"]]
    {
        assert_eq!(Run::of(command).end().await.code, Some(2), "{command:?}");
    }
    let away = ["simulate", "elevenlabs", "--webhook-url", "http://198.51.100.1/x", "--webhook-secret", "s"];
    let ended = Run::of(&away).end().await;
    assert_eq!(ended.code, Some(2));
    assert!(ended.stderr.contains("loopback"), "{}", ended.stderr);
}

#[actix::test]
async fn config_show_prints_everything_except_secrets() {
    let ended = service().arguments(&["config", "show"]).env("MAX_LIVE_CALLS", "77").end().await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let line = |name: &str| {
        let mut lines = ended.stdout.lines();
        lines.find(|line| line.split_whitespace().next() == Some(name)).unwrap_or_default().to_owned()
    };
    assert!(line("MAX_LIVE_CALLS").ends_with("77 (environment)"));
    assert!(line("GREETING_MAX_SECONDS").ends_with("15 (default)"));
    assert!(line("WEBHOOK_SECRET").ends_with("  set (environment)"));
    assert!(line("DATABASE_URL").contains("set ("), "{}", line("DATABASE_URL"));
    assert!(line("RETENTION_DAYS").ends_with("not set"));
    for secret in [SECRET, API_KEY, "pass-of-nobody"] {
        assert!(!ended.stdout.contains(secret) && !ended.stderr.contains(secret), "{secret}");
    }
}

#[actix::test]
async fn a_secret_can_be_read_from_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secret");
    std::fs::write(&file, "a secret of a file\n").unwrap();
    let run = service().arguments(&["config", "show"]).env("WEBHOOK_SECRET", "");
    let ended = run.env("WEBHOOK_SECRET_FILE", file.to_str().unwrap()).end().await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stdout.contains(" set (secret file /"), "{}", ended.stdout);
}

#[actix::test]
async fn a_dotenv_file_is_read_and_the_environment_overrides_it() {
    let run = service().arguments(&["config", "show"]).env("MAX_LIVE_CALLS", "7");
    let ended = run.dotenv("MAX_LIVE_CALLS=8\nGREETING_MAX_SECONDS='9'\n").end().await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let value = |name: &str| {
        let mut lines = ended.stdout.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        lines.find(|words| words.first() == Some(&name)).unwrap()[1].to_owned()
    };
    assert_eq!([value("MAX_LIVE_CALLS"), value("GREETING_MAX_SECONDS")], ["7", "9"]);
}

#[actix::test]
async fn a_misspelt_variable_is_reported_with_the_right_name() {
    let ended = service().arguments(&["config", "show"]).env("ELEVENLABS_AGENT_IDD", "x").end().await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let told = ended.stdout.lines().find(|line| line.contains("ELEVENLABS_AGENT_IDD"));
    assert!(told.is_some_and(|line| line.contains("ELEVENLABS_AGENT_ID")), "{}", ended.stdout);
}

#[actix::test]
async fn migrate_updates_an_empty_database_once() {
    let url = empty_database("migrated_by_command").await;
    let migrate = || Run::of(&["migrate"]).env("DATABASE_URL", &url);
    let together = futures_util::future::join_all([migrate().end(), migrate().end()]).await;
    let mut said: Vec<String> = together.iter().map(|ended| ended.stdout.trim().to_owned()).collect();
    assert!(together.iter().all(|ended| ended.code == Some(0)), "{}", together[0].stderr);
    said.sort();
    assert!(said[0].starts_with("applied [1, 2, 3") && said[1] == "the schema is up to date", "{said:?}");
    let again = migrate().end().await;
    assert_eq!((again.code, again.stdout.trim()), (Some(0), "the schema is up to date"));
    let client = connect_to(&url).await;
    client.execute("select from call_events", &[]).await.unwrap();
    let nowhere =
        Run::of(&["migrate"]).env("DATABASE_URL", "postgresql://me:hidden@127.0.0.1:9/db").end().await;
    assert_eq!(nowhere.code, Some(1));
    assert!(
        nowhere.stderr.starts_with("precall: ") && !nowhere.stderr.contains("hidden"),
        "{}",
        nowhere.stderr
    );
    assert_eq!(Run::of(&["migrate"]).end().await.code, Some(2), "without an address");
}

#[actix::test]
async fn verify_reports_whether_the_database_is_consistent() {
    let database = database();
    let verify = || Run::of(&["verify"]).env("DATABASE_URL", database.url());
    let good = verify().end().await;
    assert_eq!(good.code, Some(0), "{}{}", good.stdout, good.stderr);
    assert!(good.stdout.ends_with("everything holds\n"), "{}", good.stdout);
    let client = connect_to(database.url()).await;
    let quarantined = "insert into quarantined_events (stream, owner, seq, content, reason)
        values ('call', '00000000-0000-0000-0000-000000000001', 3, '{}', 'for a test')";
    client.execute(quarantined, &[]).await.unwrap();
    let bad = verify().end().await;
    assert_eq!(bad.code, Some(1), "{}", bad.stdout);
    let line = "WRONG  nothing is in quarantine: \
        00000000-0000-0000-0000-000000000001 event 3 of its call log: for a test";
    assert!(bad.stdout.contains(line) && !bad.stdout.contains("everything holds"), "{}", bad.stdout);
    assert_eq!(Run::of(&["verify"]).end().await.code, Some(2), "without an address");
}

#[actix::test]
async fn check_reports_what_works_and_what_does_not() {
    let database = database();
    let samples = tempfile::tempdir().unwrap();
    let mut simulator =
        Run::of(&["simulate", "elevenlabs", "--api-key", API_KEY, "--allow-override", &allow_override()])
            .start();
    let url = simulator.listening().await;
    let check = || Run::of(&["check"]).in_production(database.url(), &url, samples.path().to_str().unwrap());
    let good = check().end().await;
    assert_eq!(good.code, Some(0), "{}{}", good.stdout, good.stderr);
    for line in [
        "ok     configuration",
        "ok     database: PostgreSQL ",
        "ok     voice samples",
        "ok     ElevenLabs agent",
    ] {
        assert!(good.stdout.contains(line), "{line} in {}", good.stdout);
    }
    let bad = check()
        .env("ELEVENLABS_API_KEY", "another-key")
        .env("LOCAL_VOICE_SAMPLES_PATH", "/nonexistent")
        .end()
        .await;
    assert_eq!(bad.code, Some(1), "{}", bad.stdout);
    for line in ["WRONG  voice samples", "WRONG  ElevenLabs account", "ok     database"] {
        assert!(bad.stdout.contains(line), "{line} in {}", bad.stdout);
    }
    let json = check()
        .env("ELEVENLABS_AGENT_ID", "agent_test")
        .arguments(&["check", "--format", "json"])
        .end()
        .await;
    let report: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!((json.code, report["findings"][0]["level"].as_str()), (Some(0), Some("ok")), "{report}");
    assert_ne!(report["level"], "wrong");
    for secret in [API_KEY, "another-key", SECRET] {
        assert!(!good.stdout.contains(secret) && !bad.stdout.contains(secret));
    }
    let requests =
        http_client().get(format!("{url}/sim/requests")).send().await.unwrap().body().await.unwrap();
    let requests: serde_json::Value = serde_json::from_slice(&requests).unwrap();
    let written = requests.as_array().unwrap().iter().filter(|request| request["method"] != "GET").count();
    assert_eq!(written, 0, "the check changed something at the provider");
    simulator.signal(Signal::SIGTERM);
    assert_eq!(simulator.end().await.code, Some(0));
}

#[actix::test]
async fn healthcheck_asks_the_service_from_the_environment() {
    let port = free_port().to_string();
    let check = || Run::of(&["healthcheck"]).env("PORT", &port).env("HOST", "127.0.0.1");
    let nobody = check().end().await;
    assert_eq!(nobody.code, Some(1));
    assert!(nobody.stderr.contains(&format!("127.0.0.1:{port}")), "{}", nobody.stderr);
    // Without a database: a restart would not help.
    let mut serving = service().env("PORT", &port).start();
    serving.listening().await;
    let good = check().end().await;
    assert_eq!((good.code, good.stdout.as_str(), good.stderr.as_str()), (Some(0), "", ""));
    assert_eq!(check().env("PORT", "x").end().await.code, Some(2));
    serving.signal(Signal::SIGTERM);
    let ended = serving.end().await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(!ended.stderr.contains("pass-of-nobody"));
}

#[actix::test]
async fn a_port_in_use_makes_the_start_exit_with_1() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let ended = service().env("PORT", &taken.local_addr().unwrap().port().to_string()).end().await;
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert!(ended.stderr.contains("cannot listen on 127.0.0.1:"), "{}", ended.stderr);
}

#[actix::test]
async fn a_new_api_key_is_accepted() {
    let made = Run::of(&["keys", "new", "--name", "board", "--scope", "read"]).end().await;
    assert_eq!(made.code, Some(0), "{}", made.stderr);
    let value = |name: &str| {
        let mut lines = made.stdout.lines();
        lines.find_map(|line| line.strip_prefix(name)).expect(name).trim().to_owned()
    };
    let (key, entry) = (value("key:"), value("API_KEYS:"));
    assert!(entry.starts_with("board:read:") && !entry.contains(&key), "{entry}");
    let database = database();
    let run =
        Run::of(&["serve"]).in_production(database.url(), NOWHERE, "/nonexistent").env("API_KEYS", &entry);
    let mut serving = run.start();
    let url = format!("{}/api/v1/calls", serving.listening().await);
    let status = |key: String| {
        let url = url.clone();
        async move { http_client().get(url).bearer_auth(key).send().await.unwrap().status().as_u16() }
    };
    until("it opens", || async { status(key.clone()).await == 200 }).await;
    assert_eq!(status(KEY.to_owned()).await, 401);
}

#[actix::test]
async fn sign_prints_the_header_of_either_provider() {
    for (arguments, name) in [
        (&["sign", "--secret", "s"][..], "X-3CX-Signature: t="),
        (&["sign", "--secret", "s", "--header", "3cx"], "X-3CX-Signature: t="),
        (&["sign", "--secret", "s", "--header", "elevenlabs"], "ElevenLabs-Signature: t="),
    ] {
        let signed = Run::of(arguments).input("{}").end().await;
        assert!(signed.code == Some(0) && signed.stdout.starts_with(name), "{}", signed.stdout);
        assert!(signed.stdout.contains(",v0="), "{}", signed.stdout);
    }
}

#[actix::test]
async fn a_simulated_store_runs_until_it_is_told_to_end() {
    let mut store = Run::of(&["simulate", "s3", "--bucket", "samples"]).start();
    let url = store.listening().await;
    let unsigned = http_client().get(format!("{url}/samples/ann.wav")).send().await.unwrap();
    assert_eq!(unsigned.status().as_u16(), 403);
    store.signal(Signal::SIGTERM);
    assert_eq!(store.end().await.code, Some(0));
}

/// As installations of the service before have it, in the dialect of python-dotenv and docker compose.
const OLD_ENV: &str = r#"# VoiceClone Pre-Call Service
ENVIRONMENT=production
HOST=0.0.0.0
PORT=3006                      # behind nginx
LOG_LEVEL=INFO

# Compose reads these three.
POSTGRES_USER=voiceclone
POSTGRES_PASSWORD=pa$word#1
POSTGRES_DB=voice_clones
DATABASE_URL=postgresql+asyncpg://${POSTGRES_USER}:pa%24word%231@postgres:5432/${POSTGRES_DB:-voice_clones}?ssl=prefer

export ELEVENLABS_API_KEY="sk_0123456789abcdef"
ELEVENLABS_AGENT_ID: agent_01
ELEVENLABS_PHONE_NUMBER_ID = phnum_01
ELEVENLABS_API_BASE=https://api.elevenlabs.io/v1
GREETING_VOICE_ID='21m00Tcm4TlvDq8ikWAM'
GREETING_MESSAGE=Hello, and thank you for calling. It's a moment's wait...
GREETING_MUSIC_ENABLED=False
GREETING_MUSIC_URL=
CLONE_MAX_WAIT_SECONDS=35
VOICE_CLONE_TIMEOUT=30
AUTO_TRANSITION_ENABLED=True
CACHE_TTL=86400 # a day
VOICE_SAMPLE_STORAGE=local
LOCAL_VOICE_SAMPLES_PATH=/data/voices
S3_BUCKET_NAME=
S3_REGION=us-east-1
AWS_ACCESS_KEY_ID=
AWS_SECRET_ACCESS_KEY=
THREECX_WEBHOOK_SECRET=s3cret$with$dollars-and#hash
THREECX_TRUSTED_IPS=["10.0.0.5", "192.168.1.0/24"]
WEBHOOK_SECRET="quoted \"secret\" of 32 characters....."
CORS_ORIGINS=["http://localhost:3000","https://desk.example.com"]
"#;

#[actix::test]
async fn the_env_of_the_service_before_works_as_it_is() {
    let shown = |ended: &crate::program::Ended, name: &str| {
        let line = ended.stdout.lines().find(|line| line.split_whitespace().next() == Some(name));
        line.unwrap_or_else(|| panic!("{name}: {}", ended.stdout)).to_owned()
    };
    let other = tempfile::tempdir().unwrap();
    let file = other.path().join("old.env");
    std::fs::write(&file, OLD_ENV).unwrap();
    let by_name = ["--env-file", file.to_str().unwrap(), "config", "show"];
    for run in [Run::of(&["config", "show"]).dotenv(OLD_ENV), Run::of(&by_name)] {
        let ended = run.end().await;
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        for (name, value) in [
            ("PORT", "3006"),
            ("DATABASE_URL", "set"),
            ("ELEVENLABS_AGENT_ID", "agent_01"),
            ("ELEVENLABS_PHONE_NUMBER_ID", "phnum_01"),
            ("GREETING_MESSAGE", "Hello, and thank you for calling. It's a moment's wait..."),
            ("GREETING_MUSIC_ENABLED", "False"),
            ("CACHE_TTL", "86400"),
            ("CORS_ORIGINS", "https://desk.example.com"),
        ] {
            let line = shown(&ended, name);
            assert!(line.contains(value), "{line}");
        }
        assert!(!ended.stdout.contains("s3cret") && !ended.stderr.contains("s3cret"), "{}", ended.stdout);
    }
    let wrong = OLD_ENV.replace("CACHE_TTL=86400 # a day", "CACHE_TTL=a day");
    let ended = Run::of(&["config", "show"]).dotenv(&wrong).end().await;
    assert_eq!(ended.code, Some(2), "{}", ended.stdout);
    assert!(ended.stderr.contains("CACHE_TTL (.env line 24)"), "{}", ended.stderr);
    let wrong = OLD_ENV.replace("CACHE_TTL=86400 # a day", "CACHE TTL=86400");
    let ended = Run::of(&["config", "show"]).dotenv(&wrong).end().await;
    assert_eq!(ended.code, Some(2), "{}", ended.stdout);
    assert!(ended.stderr.contains(".env (line 24)"), "{}", ended.stderr);
}
