//! `scripts/backup` and `scripts/restore` as an administrator runs them: the database is lost, and the service goes on
//! with the backup, the ledger of erasures and the spool.

use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::signal::Signal;
use precall::signature::{Kind, sign};
use precall_base::clock;
use precall_embedded_postgres::installed;
use precall_simulators::{Target, elevenlabs};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::program::{Ended, Program, Run, free_port};
use crate::support::cluster::Cluster;
use crate::support::{
    CALLED, KEY, SECRET, allowing_agent, connect_to, database, empty_database, http_client, until,
    write_sample,
};

const ERASED: &str = "+12025550101";
const KEPT: &str = "+12025550102";
const AFTER: &str = "+12025550103";
const SPOOLED: &str = "+12025550104";
const NEW: &str = "+12025550105";

/// Runs a script of the checkout with the built program and the programs of PostgreSQL.
async fn script(name: &str, arguments: &[&str], settings: &[(&str, &str)]) -> Ended {
    let built = Path::new(env!("CARGO_BIN_EXE_precall")).parent().unwrap().to_owned();
    let mut path = vec![built, installed().unwrap().dir];
    path.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap()));
    let folder = tempfile::tempdir().unwrap();
    let mut command = std::process::Command::new("timeout");
    command.args(["120", &format!("{}/scripts/{name}", env!("CARGO_MANIFEST_DIR"))]).args(arguments);
    command.env_clear().envs(settings.iter().copied());
    command.env("PATH", std::env::join_paths(path).unwrap()).current_dir(folder.path());
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ended { code: output.status.code(), stdout: text(&output.stdout), stderr: text(&output.stderr) }
}

fn files(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<String> = entries.map(|name| name.into_string().unwrap()).collect();
    names.retain(|name| name != ".lock");
    names.sort();
    names
}

/// The service, its provider, and the folders that outlive its database.
struct Site {
    url: String,
    port: u16,
    provider: elevenlabs::Simulator,
    samples: TempDir,
}

impl Site {
    async fn new() -> Self {
        let options = elevenlabs::Options {
            conversation: Duration::from_millis(100),
            clone_delay: "50".parse().unwrap(),
            agent: allowing_agent(),
            ..Default::default()
        };
        let provider = elevenlabs::start(options).await.unwrap();
        let port = free_port();
        let url = format!("http://127.0.0.1:{port}");
        let reports = format!("{url}/webhook/elevenlabs/postcall").parse().unwrap();
        provider.set_webhook(Some(Target { url: reports, secret: SECRET.parse().unwrap() }));
        Self { url, port, provider, samples: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.samples.path().join(name)
    }

    async fn serve(&self, database: &str) -> Program {
        let run = Run::of(&["serve"])
            .in_production(database, &self.provider.url(), self.samples.path().to_str().unwrap())
            .env("PORT", &self.port.to_string())
            .env("ERASURE_LEDGER", self.path("ledger").to_str().unwrap())
            .env("LOG_LEVEL", "warning");
        let mut service = run.start();
        service.listening().await;
        until("calls are accepted", || async { self.get("/health/ready").await.0 == 200 }).await;
        service
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        let request = http_client().get(format!("{}{path}", self.url)).bearer_auth(KEY);
        let Ok(mut answer) = request.send().await else { return (0, Value::Null) };
        (answer.status().as_u16(), answer.json().await.unwrap_or_default())
    }

    /// A caller rings, and the call back runs to its end.
    async fn call(&self, id: &str, caller: &str) {
        let before = self.reports();
        let body = json!({ "event_type": "IncomingCall", "call_id": id, "caller_id": caller,
            "called_number": CALLED, "direction": "In" })
        .to_string();
        let (name, value) = sign(Kind::ThreeCx, SECRET.as_bytes(), body.as_bytes(), clock::now());
        let request = http_client().post(format!("{}/webhook/3cx", self.url)).insert_header((name, value));
        assert_eq!(request.send_body(body).await.unwrap().status().as_u16(), 200, "{id}");
        until("both reports are acknowledged, and the call is over", || async {
            self.reports() == before + 2 && self.get("/health").await.1["live_calls"] == 0
        })
        .await;
    }

    /// How many reports of conversations the service has acknowledged.
    fn reports(&self) -> usize {
        self.provider.webhooks().iter().filter(|post| post["status"] == 200).count()
    }

    async fn erase(&self, caller: &str) {
        let path = format!("/api/v1/callers/{}?erase=true", caller.replace('+', "%2B"));
        let request = http_client().delete(format!("{}{path}", self.url)).bearer_auth(KEY);
        assert_eq!(request.send().await.unwrap().status().as_u16(), 200);
    }
}

/// How many rows of all tables have this text.
async fn rows_with(url: &str, text: &str) -> i64 {
    let client = connect_to(url).await;
    let tables = "select oid::regclass::text from pg_class
        where relnamespace = 'public'::regnamespace and relkind = 'r'";
    let mut found = 0;
    for row in client.query(tables, &[]).await.unwrap() {
        let statement =
            format!("select count(*) from {} t where position($1 in t::text) > 0", row.get::<_, String>(0));
        found += client.query_one(&statement, &[&text]).await.unwrap().get::<_, i64>(0);
    }
    found
}

async fn verify(url: &str, spool: &Path) -> Ended {
    let run = Run::of(&["verify"]).env("DATABASE_URL", url);
    run.env("SPOOL_DIR", spool.to_str().unwrap()).end().await
}

#[actix::test]
async fn a_lost_database_is_restored_with_its_erasures_and_the_spool() {
    let site = Site::new().await;
    let (spool, ledger, backups) = (site.path("spool"), site.path("ledger"), site.path("backups"));
    let mut cluster = Cluster::new().await;
    connect_to(&cluster.url("postgres")).await.batch_execute("create database precall").await.unwrap();
    let url = cluster.url("precall");
    let mut service = site.serve(&url).await;
    write_sample(&site.path("anna.wav"), 1);
    let map = "insert into caller_voice_mapping (caller_id, voice_sample_url, voice_name)
        values ($1, 'anna.wav', 'Anna')";
    connect_to(&url).await.execute(map, &[&ERASED]).await.unwrap();
    site.call("erased", ERASED).await;
    site.call("kept", KEPT).await;

    // Beside the running service.
    let made = script("backup", &[backups.to_str().unwrap()], &[("DATABASE_URL", &url)]).await;
    assert_eq!(made.code, Some(0), "{}", made.stderr);
    let dump = made.stdout.trim().to_owned();

    // After the backup: an erasure, a call that only the database knows, and one that only the spool knows.
    assert!(rows_with(&url, ERASED).await > 0);
    site.erase(ERASED).await;
    assert_eq!(rows_with(&url, ERASED).await, 0);
    site.call("after", AFTER).await;
    until("all is acknowledged", || async {
        let marks = std::fs::read_dir(&spool).unwrap();
        marks.flatten().any(|mark| mark.file_name().to_string_lossy().starts_with("acknowledged-"))
    })
    .await;
    cluster.stop().await;
    site.call("spooled", SPOOLED).await;
    service.signal(Signal::SIGKILL);
    service.end().await;
    drop(cluster);

    let cluster = Cluster::new().await;
    connect_to(&cluster.url("postgres")).await.batch_execute("create database precall").await.unwrap();
    let url = cluster.url("precall");
    let restore = [dump.as_str(), "--ledger", ledger.to_str().unwrap()];
    let settings = [("DATABASE_URL", url.as_str()), ("SPOOL_DIR", spool.to_str().unwrap())];
    let restored = script("restore", &restore, &settings).await;
    assert_eq!(restored.code, Some(0), "{}{}", restored.stdout, restored.stderr);
    for words in
        ["1 erasures repeated", "everything holds", "WRONG  no acknowledged event is missing", "waits "]
    {
        assert!(restored.stdout.contains(words), "{words}: {}", restored.stdout);
    }
    assert_eq!(rows_with(&url, ERASED).await, 0, "the erased caller is in the database again");
    assert!(rows_with(&url, KEPT).await > 0);
    assert_eq!(rows_with(&url, SPOOLED).await, 0);

    // A second restore would mix two states.
    let again = script("restore", &restore, &settings).await;
    assert_eq!(again.code, Some(1), "{}", again.stdout);
    assert!(again.stderr.contains("the database is not empty"), "{}", again.stderr);

    service = site.serve(&url).await;
    let client = connect_to(&url).await;
    until("the spool is brought in", || async {
        let whole = "select count(*) from call_log
            where caller_id = $1 and status = 'completed' and transcript is not null";
        client.query_one(whole, &[&SPOOLED]).await.unwrap().get::<_, i64>(0) == 1
    })
    .await;
    assert_eq!(rows_with(&url, ERASED).await, 0);
    site.call("new", NEW).await;
    service.signal(Signal::SIGTERM);
    assert_eq!(service.end().await.code, Some(0));

    // What only the lost database knew is named until a person deletes the mark.
    let missing = verify(&url, &spool).await;
    assert_eq!(missing.code, Some(1), "{}", missing.stdout);
    let marks = files(&spool).into_iter().filter(|name| name.contains("-lost-"));
    marks.for_each(|mark| std::fs::remove_file(spool.join(mark)).unwrap());
    let clean = verify(&url, &spool).await;
    assert_eq!(clean.code, Some(0), "{}{}", clean.stdout, clean.stderr);
    assert!(clean.stdout.ends_with("everything holds\n"), "{}", clean.stdout);
    site.provider.stop().await;
}

#[actix::test]
async fn a_backup_is_whole_or_not_there_and_only_the_newest_are_kept() {
    let (source, folder) = (database(), tempfile::tempdir().unwrap());
    let backups = folder.path().join("backups");
    let backup = async |url: &str| {
        script("backup", &["--keep", "2", backups.to_str().unwrap()], &[("DATABASE_URL", url)]).await
    };
    std::fs::create_dir(&backups).unwrap();
    for name in ["precall-20200101T000000Z.dump", "precall-20200102T000000Z.dump", ".precall-1.partial"] {
        std::fs::write(backups.join(name), "").unwrap();
    }
    // The role, its password and the option are written as the service before wrote them.
    let admin = connect_to(source.url()).await;
    admin.batch_execute("create role owner login superuser password 'p@ss\\word'").await.unwrap();
    let old = source.url().replacen("postgresql://postgres@", "postgresql+asyncpg://owner:p%40ss%5Cword@", 1);
    let made = backup(&format!("{old}?ssl=disable")).await;
    assert_eq!(made.code, Some(0), "{}", made.stderr);
    let name = made.stdout.trim().rsplit('/').next().unwrap().to_owned();
    assert_eq!(files(&backups), ["precall-20200102T000000Z.dump", &name]);

    // Nothing of these becomes a backup, and nothing old is deleted.
    let empty = empty_database("backup_of_nothing").await;
    for (url, words) in [
        ("postgresql://nobody@127.0.0.1:9/none", "pg_dump failed"),
        (&empty, "has no tables of precall"),
        ("", "set DATABASE_URL"),
        ("postgresql://127.0.0.1/x?password=y", "before the @"),
    ] {
        let ended = backup(url).await;
        assert!(ended.code.is_some_and(|code| code > 0), "{url}");
        assert!(ended.stderr.contains(words), "{words}: {}", ended.stderr);
        assert_eq!(files(&backups), ["precall-20200102T000000Z.dump", &name], "{url}");
    }

    // A dump that lost its end has a whole list of its contents.
    let whole = std::fs::read(backups.join(&name)).unwrap();
    let cut = folder.path().join("cut.dump");
    std::fs::write(&cut, &whole[..whole.len() - 100]).unwrap();
    let missing = folder.path().join("missing");
    let missing = missing.to_str().unwrap();
    let dump = backups.join(&name);
    for (dump, ledger, words) in [
        (cut.as_path(), "/dev/null", "nothing was restored"),
        (&dump, missing, "nothing was restored"),
        (Path::new(missing), "/dev/null", "nothing was restored"),
    ] {
        let arguments = [dump.to_str().unwrap(), "--ledger", ledger];
        let ended = script("restore", &arguments, &[("DATABASE_URL", &empty)]).await;
        assert_eq!(ended.code, Some(1), "{}", ended.stdout);
        assert!(ended.stderr.contains(words), "{words}: {}", ended.stderr);
    }
    let without = script("restore", &[dump.to_str().unwrap()], &[("DATABASE_URL", &empty)]).await;
    assert_eq!(without.code, Some(2), "a restore without a ledger: {}", without.stderr);
    let tables = "select count(*) from pg_class where relnamespace = 'public'::regnamespace";
    assert_eq!(connect_to(&empty).await.query_one(tables, &[]).await.unwrap().get::<_, i64>(0), 0);
    let arguments = [dump.to_str().unwrap(), "--ledger", "/dev/null"];
    let ended = script("restore", &arguments, &[("DATABASE_URL", &empty)]).await;
    assert_eq!(ended.code, Some(0), "{}{}", ended.stdout, ended.stderr);
}
