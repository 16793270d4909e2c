//! The commands in the documents, run as they stand: each block that is marked `sh run`, page by page and in order, in
//! a home of its own, with the built program, a real PostgreSQL and the simulators. A block that is marked `sh beside`
//! is the one of a terminal of its own: it is started there, and must still run when the page is at its end.

use std::fs::File;
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use precall_embedded_postgres::installed;
use tempfile::TempDir;

use crate::program::{API_KEY, Run, free_port};
use crate::support::cluster::Cluster;
use crate::support::{SECRET, allow_override, connect_to, pause, until, write_sample};

const LONGEST: Duration = Duration::from_secs(180);
const TABLES: &str = include_str!("../databases/fixtures/service_before.sql");

/// The marked blocks of a page, as one script.
fn script(page: &str, text: &str) -> String {
    let mut script =
        String::from("set -euo pipefail\ntrap 'echo \"FAILED: $BASH_COMMAND\" >&2' ERR\nbeside=()\n");
    let mut lines = text.lines().enumerate();
    while let Some((at, line)) = lines.next() {
        let indent = line.len() - line.trim_start().len();
        let Some(mark) = line.trim().strip_prefix("```sh ") else { continue };
        let block = lines.by_ref().map(|(_, line)| line).take_while(|line| line.trim() != "```");
        let block: Vec<&str> = block.map(|line| line.get(indent..).unwrap_or_default()).collect();
        let block = block.join("\n");
        script.push_str(&format!("echo '{page}:{}' >&2\n", at + 1));
        match mark {
            "run" => script.push_str(&format!("{block}\n")),
            "beside" => script.push_str(&format!("(\nexec {block}\n) &\nbeside+=($!)\n")),
            other => panic!("{page}: a block has the mark {other}"),
        }
    }
    // The test looks at what the page made, and closes the standard input.
    script.push_str(
        "for each in \"${beside[@]}\"; do kill -0 \"$each\"; done\necho THE END\nread -r _ || true\n",
    );
    script
}

/// A home, a PostgreSQL server and ports for one page.
struct Place {
    home: TempDir,
    cluster: Cluster,
    /// What a page says, and what stands for it here.
    instead: Vec<(String, String)>,
    settings: Vec<(String, String)>,
}

impl Place {
    async fn new() -> Self {
        let (home, cluster) = (tempfile::tempdir().unwrap(), Cluster::new().await);
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let program = Path::new(env!("CARGO_BIN_EXE_precall"));
        let here = home.path().to_str().unwrap().to_owned();
        std::fs::create_dir_all(home.path().join("target/release")).unwrap();
        symlink(program, home.path().join("target/release/precall")).unwrap();
        symlink(root.join("scripts"), home.path().join("scripts")).unwrap();
        write_sample(&home.path().join("recording.wav"), 1);
        let mut path = vec![program.parent().unwrap().to_owned(), installed().unwrap().dir];
        path.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap()));
        let path = std::env::join_paths(path).unwrap().into_string().unwrap();
        // `postgresql://postgres@<socket>:5432/postgres`
        let url = cluster.url("postgres");
        let socket = url.split_once('@').unwrap().1.split_once(':').unwrap().0.to_owned();
        let port = free_port().to_string();
        let instead = [
            ("sudo -u postgres ", String::new()),
            ("127.0.0.1:5432", format!("{socket}:5432")),
            ("127.0.0.1:3006", format!("127.0.0.1:{port}")),
            ("4001", free_port().to_string()),
            ("4002", free_port().to_string()),
            ("/path/to/a/recording.wav", format!("{here}/recording.wav")),
            ("/var/backups/", format!("{here}/backups/")),
            ("/var/lib/precall/", format!("{here}/state/")),
        ];
        let settings = [
            ("PATH", path),
            ("HOME", here.clone()),
            ("PORT", port),
            ("METRICS_ADDR", "127.0.0.1:0".to_owned()),
            ("PGHOST", socket.replace("%2F", "/")),
            ("PGUSER", "postgres".to_owned()),
            // What a page does not set must not lead out of its home.
            ("SPOOL_DIR", format!("{here}/state/spool")),
            ("PROMPT_CACHE_DIR", format!("{here}/state/prompts")),
            ("ERASURE_LEDGER", format!("{here}/state/ledger/erasures.jsonl")),
        ];
        let owned = |(name, value): (&str, String)| (name.to_owned(), value);
        Self { home, cluster, instead: instead.map(owned).to_vec(), settings: settings.map(owned).to_vec() }
    }

    /// Runs the page up to its end. What it started beside goes on.
    async fn run(&self, page: &str) -> Page {
        let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(page)).unwrap();
        let text = self.instead.iter().fold(text, |text, (said, here)| text.replace(said, here));
        let file = |name: &str| File::create(self.home.path().join(name)).unwrap();
        let mut bash = Command::new("bash");
        bash.args(["-c", &script(page, &text)]).current_dir(self.home.path()).env_clear();
        bash.envs(self.settings.iter().cloned()).process_group(0);
        bash.stdin(Stdio::piped()).stdout(file("page.stdout")).stderr(file("page.stderr"));
        let mut page = Page { child: bash.spawn().unwrap() };
        let said = |name: &str| std::fs::read_to_string(self.home.path().join(name)).unwrap();
        let begun = Instant::now();
        while !said("page.stdout").ends_with("THE END\n") {
            let ended = page.child.try_wait().unwrap();
            let is_late = begun.elapsed() > LONGEST;
            assert!(ended.is_none() && !is_late, "{}\n{}", said("page.stdout"), said("page.stderr"));
            pause().await;
        }
        page
    }
}

/// A page that was run. Dropping it ends what it started.
struct Page {
    child: Child,
}

impl Drop for Page {
    fn drop(&mut self) {
        // The group is that of the shell, so all of its children are in it.
        let _ended = killpg(Pid::from_raw(i32::try_from(self.child.id()).unwrap()), Signal::SIGKILL);
        let _reaped = self.child.wait();
    }
}

async fn completed(url: &str, many: i64) {
    let client = connect_to(url).await;
    let done = "select count(*) from call_log where status = 'completed' and cloned_voice_id is not null";
    until("the calls of the page are completed, with a cloned voice", || async {
        client.query_one(done, &[]).await.unwrap().get::<_, i64>(0) == many
    })
    .await;
}

#[actix::test]
async fn the_commands_of_the_readme_work() {
    let place = Place::new().await;
    let _page = place.run("README.md").await;
    completed(&place.cluster.url("precall"), 1).await;
}

#[actix::test]
async fn the_shortest_path_of_deployment_works_and_is_closed_to_strangers() {
    let place = Place::new().await;
    let _page = place.run("docs/DEPLOYMENT.md").await;
    completed(&place.cluster.url("precall"), 1).await;
}

#[actix::test]
async fn the_commands_of_backup_work() {
    let place = Place::new().await;
    let role = "create role precall login password 'precall'";
    let admin = connect_to(&place.cluster.url("postgres")).await;
    admin.batch_execute(role).await.unwrap();
    admin.batch_execute("create database precall owner precall").await.unwrap();
    let url = place.cluster.url("precall").replacen("postgres@", "precall@", 1);
    let made = Run::of(&["migrate"]).env("DATABASE_URL", &url).end().await;
    assert_eq!(made.code, Some(0), "{}", made.stderr);
    let ledger = place.home.path().join("state/ledger");
    std::fs::create_dir_all(&ledger).unwrap();
    std::fs::write(ledger.join("erasures.jsonl"), "").unwrap();
    let _page = place.run("docs/BACKUP.md").await;
    let restored = connect_to(&place.cluster.url("precall_new")).await;
    restored.execute("select from call_events", &[]).await.unwrap();
}

#[actix::test]
async fn the_commands_of_migrating_work() {
    let place = Place::new().await;
    let admin = connect_to(&place.cluster.url("postgres")).await;
    admin.batch_execute("create database voice_clones").await.unwrap();
    let url = place.cluster.url("voice_clones");
    let client = connect_to(&url).await;
    client.batch_execute(TABLES).await.unwrap();
    let caller = "insert into caller_voice_mapping
        values (gen_random_uuid(), '+493010000001', 'recording.wav', 'Anna', null, null, now(), now(), null)";
    client.batch_execute(caller).await.unwrap();
    drop(client);
    let arguments = ["simulate", "elevenlabs", "--api-key", API_KEY, "--allow-override", &allow_override()];
    let mut provider = Run::of(&arguments).start();
    let provider_url = provider.listening().await;
    let old = [
        ("DATABASE_URL", url.as_str()),
        ("ELEVENLABS_API_BASE", &provider_url),
        ("ELEVENLABS_API_KEY", API_KEY),
        ("ELEVENLABS_AGENT_ID", "agent_1"),
        ("ELEVENLABS_PHONE_NUMBER_ID", "phnum_1"),
        ("THREECX_WEBHOOK_SECRET", SECRET),
        ("WEBHOOK_SECRET", SECRET),
        ("DEFAULT_REGION", "DE"),
        ("CALL_ROUTE", "callback"),
        ("LOCAL_VOICE_SAMPLES_PATH", place.home.path().to_str().unwrap()),
    ];
    let lines: Vec<String> = old.iter().map(|(name, value)| format!("{name}={value}\n")).collect();
    std::fs::write(place.home.path().join(".env"), lines.concat()).unwrap();
    let _page = place.run("docs/MIGRATING.md").await;
    // The last section goes back to the service before.
    let tables =
        "select to_regclass('call_events') is null and to_regclass('caller_voice_mapping') is not null";
    assert!(connect_to(&url).await.query_one(tables, &[]).await.unwrap().get::<_, bool>(0));
}

#[test]
fn only_marked_blocks_are_run_each_as_its_mark_says() {
    let text = "```\nnever\n```\n\n   ```sh run\n   a \\\n       b\n   ```\n```sh\nnever\n```\n```sh beside\nc\n```\n";
    let script = script("X", text);
    assert!(!script.contains("never"), "{script}");
    assert!(script.contains("X:5' >&2\na \\\n    b\n") && script.contains("(\nexec c\n) &"), "{script}");
}
