//! Every reason why there is no connection, or not yet the lock: each has its own sentence, and says whether to wait.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::thread;

use nix::unistd::{Uid, User};
use precall_actors::durability::leadership::EngineRole;
use precall_actors::runtime::fault_injection::Faults;
use precall_embedded_postgres::{DataDir, Durability, EmbeddedPostgres, Install, Options};
use precall_store::leader::engine_lock::EngineLock;
use precall_store::readiness::State;

use crate::look::{as_role, look, says, unique};
use crate::support::cluster::Cluster;
use crate::support::{connect_to, database, start_app, until};

#[actix::test]
async fn what_waiting_does_not_mend_is_wrong() {
    let made = database();
    let (base, name) = made.url().rsplit_once('/').unwrap();
    let admin = connect_to(made.url()).await;
    let (stranger, shut) = (unique("stranger"), unique("shut"));
    admin.batch_execute(&format!("create role {stranger} login")).await.unwrap();
    admin.batch_execute(&format!("create database {shut}")).await.unwrap();
    admin.batch_execute(&format!("alter database {shut} allow_connections false")).await.unwrap();
    let cases = [
        ("no such database", format!("{base}/nowhere"), &["does not exist", "create the database"][..]),
        ("no such role", as_role(made.url(), "nobody_here"), &["nobody_here", "correct the user"]),
        ("closed database", format!("{base}/{shut}"), &["not currently accepting", "allow_connections true"]),
        ("unknown setting", format!("{}?options=-c%20nonsense%3D1", made.url()), &["nonsense", "options"]),
        (
            "unknown value",
            format!("{}?options=-c%20statement_timeout%3Dsoon", made.url()),
            &["statement_timeout", "options"],
        ),
    ];
    for (what, url, words) in cases {
        says(what, &url, "database", State::Wrong, words).await;
    }
    admin.batch_execute(&format!("revoke connect on database {name} from public")).await.unwrap();
    let words = ["permission denied", "grant connect"];
    says("no privilege", &as_role(made.url(), &stranger), "database", State::Wrong, &words).await;
}

#[actix::test]
async fn a_wrong_password_and_a_refusal_by_address_are_wrong() {
    let options = Options::new(DataDir::Temporary, Durability::NoFsync, Install::IfMissing);
    let postgres =
        tokio::task::spawn_blocking(move || EmbeddedPostgres::start(&options)).await.unwrap().unwrap();
    let file = postgres.directory().join("data/pg_hba.conf");
    let rest = fs::read_to_string(&file).unwrap();
    let rules = "local all locked scram-sha-256\nlocal all shut_out reject\n";
    fs::write(&file, format!("{rules}{rest}")).unwrap();
    let admin = connect_to(&postgres.url("postgres")).await;
    admin
        .batch_execute(
            "create role locked login password 'right'; create role shut_out login; select pg_reload_conf()",
        )
        .await
        .unwrap();
    let wrong = postgres.url("postgres").replacen("postgres@", "locked:wrong@", 1);
    until("the rules are in force", || async { !connects(&wrong).await }).await;
    let none = as_role(&postgres.url("postgres"), "locked");
    let shut_out = as_role(&postgres.url("postgres"), "shut_out");
    let password = "correct user and password in DATABASE_URL";
    says("wrong", &wrong, "database", State::Wrong, &["password authentication failed", password]).await;
    says("none", &none, "database", State::Wrong, &["password", "in DATABASE_URL"]).await;
    says("refused", &shut_out, "database", State::Wrong, &["pg_hba.conf"]).await;
}

async fn connects(url: &str) -> bool {
    tokio_postgres::connect(url, tokio_postgres::NoTls).await.is_ok()
}

#[actix::test]
async fn what_may_pass_is_waited_for() {
    let made = database();
    let role = unique("none_left");
    let admin = connect_to(made.url()).await;
    admin.batch_execute(&format!("create role {role} login connection limit 0")).await.unwrap();
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let at =
        |port: u16| format!("postgresql://postgres@127.0.0.1:{port}/x?sslmode=disable&connect_timeout=2");
    let starting = server_that_says("57P03", "the database system is starting up");
    let stopping = server_that_says("57P03", "the database system is shutting down");
    let pooled = server_that_says("08P01", "server login has been failing, try again later");
    let cases = [
        (
            "no connection left",
            as_role(made.url(), &role),
            &["too many connections", "DATABASE_POOL_SIZE"][..],
        ),
        ("not running", at(free), &["PostgreSQL is not running there"]),
        (
            "no socket",
            "postgresql://postgres@%2Fnowhere/x".to_owned(),
            &["its socket is in another directory"],
        ),
        ("silent", at(silent.local_addr().unwrap().port()), &["does not answer"]),
        ("no address", "postgresql://postgres@nowhere.invalid/x".to_owned(), &["has no address"]),
        ("starting", at(starting), &["the database system is starting up", "precall waits"]),
        ("stopping", at(stopping), &["the database system is shutting down", "precall waits"]),
        ("behind a pooler", at(pooled), &["the pooler has no connection to PostgreSQL"]),
    ];
    for (what, url, words) in cases {
        says(what, &url, "database", State::Waiting, words).await;
    }
}

/// A server that refuses every client in these words. Returns its port.
fn server_that_says(code: &str, words: &str) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let fields = format!("SFATAL\0VFATAL\0C{code}\0M{words}\0\0");
    let length = u32::try_from(fields.len() + 4).unwrap();
    let message = [b"E", &length.to_be_bytes()[..], fields.as_bytes()].concat();
    thread::spawn(move || {
        for client in listener.incoming() {
            let mut client = client.unwrap();
            let _startup = client.read(&mut [0; 1024]);
            let _refused = client.write_all(&message);
        }
    });
    port
}

/// A server that follows no one: a hot standby without a primary.
struct HotStandby {
    child: Child,
    port: u16,
    _cluster: Cluster,
}

impl Drop for HotStandby {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

async fn hot_standby() -> HotStandby {
    let mut cluster = Cluster::new().await;
    let data = cluster.directory().join("data");
    cluster.stop().await;
    fs::write(data.join("standby.signal"), "").unwrap();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let program = precall_embedded_postgres::installed().unwrap().dir.join("postgres");
    let mut command = Command::new(program);
    command.arg("-D").arg(&data).arg("-p").arg(port.to_string());
    command.args(["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="]);
    command
        .env("LC_ALL", "C")
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    if Uid::effective().is_root() {
        let account =
            ["postgres", "nobody"].into_iter().find_map(|name| User::from_name(name).unwrap()).unwrap();
        command.uid(account.uid.as_raw()).gid(account.gid.as_raw());
    }
    HotStandby { child: command.spawn().unwrap(), port, _cluster: cluster }
}

#[actix::test]
async fn a_hot_standby_is_waited_for_and_named() {
    let standby = hot_standby().await;
    let url = format!("postgresql://postgres@127.0.0.1:{}/postgres?sslmode=disable", standby.port);
    until("it answers", || connects(&url)).await;
    says("hot standby", &url, "database writes", State::Waiting, &["hot standby", "target_session_attrs"])
        .await;
}

#[actix::test]
async fn the_holder_of_the_lock_is_named() {
    let made = database();
    let holder = connect_to(&format!("{}?application_name=the%20other", made.url())).await;
    let process: i32 = holder.query_one("select pg_backend_pid()", &[]).await.unwrap().get(0);
    holder.execute("select pg_advisory_lock($1)", &[&0x7072_6563_616c_6c31_i64]).await.unwrap();
    let found = look(made.url()).await;
    let lock = found.iter().find(|finding| finding.name == "database lock").unwrap();
    assert_eq!(lock.state, State::Ok, "a check beside a running service");
    let pid = format!("server process {process}");
    for word in [pid.as_str(), "\"the other\"", "client address", "connected since 20"] {
        assert!(lock.words.contains(word), "{lock:?}");
    }
    let named = EngineLock::holder(&holder).await.unwrap().unwrap();
    assert_eq!(named.process, Some(process));
    // A process that starts now says the same.
    let samples = tempfile::tempdir().unwrap();
    let app = start_app(made.url(), "http://127.0.0.1:9", samples.path(), &[], &Faults::default()).await;
    let says = || app.engine().health().database_obstacle.unwrap_or_default();
    until("it stands by", || async { app.engine().health().role == EngineRole::Standby }).await;
    let words = says();
    assert!(words.contains(&pid) && words.contains(&format!("pg_terminate_backend({process})")), "{words}");
    drop(holder);
    until("it leads", || async { app.engine().health().database_reached }).await;
    assert_eq!(says(), "");
    app.stop_now().await;
}

#[actix::test]
async fn nothing_is_waited_for_after_a_planned_stop_also_on_a_database_that_was_just_started() {
    let mut cluster = Cluster::new().await;
    let samples = tempfile::tempdir().unwrap();
    let start = async |url: String| {
        start_app(&url, "http://127.0.0.1:9", samples.path(), &[], &Faults::default()).await
    };
    let app = start(cluster.url("postgres")).await;
    until("it leads", || async { app.engine().health().database_reached }).await;
    app.stop_now().await;
    cluster.stop().await;
    cluster.start().await;
    let app = start(cluster.url("postgres")).await;
    let seen = RefCell::new(BTreeSet::new());
    until("it leads", || async {
        let health = app.engine().health();
        assert_ne!(health.role, EngineRole::Standby, "there is no other precall");
        seen.borrow_mut().extend(health.database_obstacle);
        health.database_reached
    })
    .await;
    assert_eq!(seen.into_inner(), BTreeSet::new());
    app.stop_now().await;
}
