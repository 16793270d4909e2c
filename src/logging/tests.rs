//! Tests of logging: with a captured writer, and in a real process.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may stop at what it did not expect"
)]

use std::fs;
use std::io::{self, Write};
use std::process::Command;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;
use slog::{info, o, warn};

use super::{CHANNEL_LINES, FLUSH_MAX, Format, Logging, REQUEST_LINES, build, start};
use crate::config::{Log, LogFile};

#[derive(Clone, Default)]
struct Captured(Arc<Mutex<Vec<u8>>>);

impl Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Captured {
    fn lines(&self) -> Vec<Value> {
        lines(&self.0.lock().unwrap())
    }
}

fn lines(bytes: &[u8]) -> Vec<Value> {
    let text = std::str::from_utf8(bytes).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}")))
        .collect()
}

fn log(file: Option<LogFile>) -> Log {
    Log { level: slog::Level::Info, file }
}

fn json(log: &Log) -> (Logging, Captured) {
    let captured = Captured::default();
    (build(log, Format::Json, Box::new(captured.clone())), captured)
}

#[test]
fn the_lines_of_a_task_that_answers_a_request_have_its_id() {
    let (logging, captured) = json(&log(None));
    let answering = async {
        info!(logging.logger(), "answering"; "call" => "0198-1");
    };
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(super::request_id::within("r-1".to_owned(), answering));
    info!(logging.logger(), "other work");
    drop(logging);
    let lines = captured.lines();
    assert_eq!((&lines[0]["request_id"], &lines[0]["call"]), (&"r-1".into(), &"0198-1".into()));
    assert_eq!(lines[1].get("request_id"), None);
}

#[test]
fn the_lines_of_a_call_are_kept_for_its_page() {
    let (logging, captured) = json(&log(None));
    let id = uuid::Uuid::now_v7().to_string();
    let call = logging.logger().new(o!("call" => id.clone()));
    info!(call, "call moved"; "to" => "+4915112345678");
    info!(logging.logger(), "about nobody");
    slog::debug!(call, "below the level");
    drop(logging);
    let (kept, dropped) = super::RecentLines::of_process().of(&id);
    assert_eq!((kept.len(), dropped), (1, 0));
    let line: Value = serde_json::from_str(&kept[0]).unwrap();
    assert_eq!(line, captured.lines()[0]);
    assert_eq!(line["to"], "+*****678", "hidden as in the log");
}

#[test]
fn a_line_is_one_object_with_its_time_level_message_and_fields() {
    let (logging, captured) = json(&log(None));
    let call = logging.logger().new(o!("call" => "0198-1"));
    warn!(call, "two\nlines"; "wait_ms" => 35);
    info!(logging.logger(), "plain");
    slog::debug!(logging.logger(), "below the level");
    drop(logging);
    let lines = captured.lines();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert_eq!(lines[0]["level"], "warning");
    assert_eq!(lines[0]["msg"], "two\nlines");
    assert_eq!(lines[0]["call"], "0198-1");
    assert_eq!(lines[0]["wait_ms"], 35);
    assert_eq!(lines[1].as_object().unwrap().keys().collect::<Vec<_>>(), ["level", "msg", "ts"]);
    let at = lines[0]["ts"].as_str().unwrap();
    assert_eq!(at.len(), "2026-01-01T00:00:00.000000Z".len(), "{at}");
    let age = jiff::Timestamp::now().duration_since(at.parse().unwrap());
    assert!(at.ends_with('Z') && age < jiff::SignedDuration::from_secs(60), "{at}");
}

#[test]
fn no_text_of_a_line_shows_secrets_tokens_or_numbers() {
    precall_base::redact::know("secret-of-this-service");
    let id = "01990000-0000-7000-8000-123456789012";
    let (logging, captured) = json(&log(None));
    let of_call = logging.logger().new(o!("call" => id, "number" => "(202) 255-5501"));
    let said = format_args!("secret-of-this-service for +12022555501").to_string();
    info!(of_call, "refused {} for {}", said, 1_234; "error" => &said, "display" => %said,
        "debug" => ?Some(&said), "none" => None::<String>, "some" => Some(said.clone()),
        "bytes" => 123_456_789_u64, "took_ms" => 1.5, "is" => true, "token" => "Bearer eyJhbGci.eyJzdWIi.c2ln");
    drop(logging);
    let lines = captured.lines();
    let text = lines[0].to_string();
    for hidden in ["secret-of", "2555501", "255-5501", "eyJ"] {
        assert!(!text.contains(hidden), "{hidden}: {text}");
    }
    assert_eq!(lines[0]["msg"], "refused *** for +*****501 for 1234");
    assert_eq!((&lines[0]["call"], &lines[0]["number"]), (&id.into(), &"(*****501".into()));
    assert_eq!((&lines[0]["none"], &lines[0]["bytes"]), (&Value::Null, &123_456_789_u64.into()));
    assert_eq!((&lines[0]["took_ms"], &lines[0]["is"]), (&1.5.into(), &true.into()));
    assert!(lines[0]["ts"].as_str().unwrap().parse::<jiff::Timestamp>().is_ok(), "{text}");
}

#[test]
fn the_file_gets_the_same_lines() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("deep/er/precall.log");
    for format in [Format::Json, Format::Terminal] {
        let file = LogFile { path: path.clone(), max_bytes: 1_000_000, keep: 2 };
        let logging = build(&log(Some(file)), format, Box::new(Captured::default()));
        info!(logging.logger(), "kept"; "format" => format!("{format:?}"));
        drop(logging);
    }
    let lines = lines(&fs::read(&path).unwrap());
    assert_eq!(lines.len(), 2);
    assert_eq!((&lines[0]["format"], &lines[1]["format"]), (&Value::from("Json"), &Value::from("Terminal")));
    assert!(lines.iter().all(|line| line["msg"] == "kept" && line["ts"].is_string()), "{lines:?}");
}

#[test]
fn an_unwritable_file_only_causes_a_warning() {
    let file = LogFile { path: "/dev/null/precall.log".into(), max_bytes: 1_000_000, keep: 2 };
    let (logging, captured) = json(&log(Some(file)));
    info!(logging.logger(), "goes on");
    info!(logging.logger(), "and on");
    drop(logging);
    let lines = captured.lines();
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert_eq!(lines[0]["msg"], "log file cannot be written");
    assert_eq!(lines[0]["level"], "warning");
    assert_eq!(lines[0]["file"], "/dev/null/precall.log");
    assert_eq!((&lines[1]["msg"], &lines[2]["msg"]), (&Value::from("goes on"), &Value::from("and on")));
}

/// A standard error that blocks until it is released.
struct Stuck {
    go: Receiver<()>,
    is_stuck: bool,
    reached: Sender<()>,
    captured: Captured,
}

impl Write for Stuck {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.is_stuck {
            self.reached.send(()).unwrap();
            // Returns when the sender sends or is dropped.
            let _told = self.go.recv();
            self.is_stuck = false;
        }
        self.captured.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn stuck() -> (Logging, Captured, Sender<()>) {
    let (let_go, go) = channel();
    let (reached, is_reached) = channel();
    let captured = Captured::default();
    let writer = Stuck { go, is_stuck: true, reached, captured: captured.clone() };
    let logging = build(&log(None), Format::Json, Box::new(writer));
    info!(logging.logger(), "first");
    is_reached.recv_timeout(Duration::from_secs(10)).unwrap();
    (logging, captured, let_go)
}

#[test]
fn lines_that_do_not_fit_are_dropped_and_counted_without_waiting() {
    let (logging, captured, let_go) = stuck();
    let begun = Instant::now();
    for _ in 0..CHANNEL_LINES + 100 {
        info!(logging.logger(), "many");
    }
    assert!(begun.elapsed() < Duration::from_secs(10), "logging waited");
    let_go.send(()).unwrap();
    // After a few lines there is room for the report and for the line that triggers it.
    let deadline = Instant::now() + Duration::from_secs(10);
    while captured.lines().len() < 4 {
        assert!(Instant::now() < deadline, "the writing thread does not go on");
        std::thread::yield_now();
    }
    info!(logging.logger(), "last");
    drop(logging);
    let lines = captured.lines();
    let report = lines.iter().find(|line| line["msg"] == "log lines were dropped").unwrap();
    let dropped = report["count"].as_u64().unwrap();
    assert!(report["ts"].is_string(), "{report}");
    assert_eq!(report["queue"], "calls");
    assert!(dropped >= 100, "{report}");
    let many = lines.iter().filter(|line| line["msg"] == "many").count();
    assert_eq!(u64::try_from(many).unwrap() + dropped, u64::try_from(CHANNEL_LINES).unwrap() + 100);
}

/// A line of this module, or of a library when it has a target.
fn say(logger: &slog::Logger, module: &'static str, target: &str) {
    let location = slog::RecordLocation { file: "", line: 0, column: 0, function: "", module };
    let about = slog::RecordStatic { location: &location, tag: target, level: slog::Level::Warning };
    logger.log(&slog::Record::new(&about, &format_args!("webhook refused"), slog::b!()));
}

#[test]
fn a_flood_of_requests_drops_no_line_of_a_call() {
    let (logging, captured, let_go) = stuck();
    let call = logging.logger().new(o!("call" => "0198-1"));
    for n in 0..60 {
        for _ in 0..1_000 {
            say(logging.logger(), "precall::http::outcome_metrics", "");
            say(logging.logger(), "hyper::proto", "hyper::proto");
        }
        info!(call, "call moved"; "seq" => n);
    }
    let_go.send(()).unwrap();
    drop(logging);
    let lines = captured.lines();
    let moved: Vec<u64> = lines
        .iter()
        .filter(|line| line["msg"] == "call moved")
        .map(|line| line["seq"].as_u64().unwrap())
        .collect();
    assert_eq!(moved, (0..60).collect::<Vec<_>>(), "every line of the call, in order");
    let refused = lines.iter().filter(|line| line["msg"] == "webhook refused").count();
    assert!((1..=REQUEST_LINES + 1_000).contains(&refused), "{refused}");
}

#[test]
fn the_end_does_not_wait_for_a_missing_reader() {
    let (logging, _captured, let_go) = stuck();
    let begun = Instant::now();
    drop(logging);
    let waited = begun.elapsed();
    assert!(waited >= FLUSH_MAX && waited < FLUSH_MAX + Duration::from_secs(8), "{waited:?}");
    drop(let_go);
}

struct Explosive;

impl std::fmt::Display for Explosive {
    fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        panic!("a field that cannot be shown")
    }
}

#[test]
fn a_field_that_panics_loses_only_its_line() {
    let (logging, captured) = json(&log(None));
    // A logger's own fields are formatted on the writing thread.
    let bad = logging.logger().new(o!("bad" => slog::FnValue(|_: &slog::Record<'_>| Explosive.to_string())));
    info!(bad, "lost");
    info!(logging.logger(), "kept");
    drop(logging);
    let lines = captured.lines();
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert_eq!(lines[0]["msg"], "kept");
}

const CHILD: &str = "PRECALL_TEST_LOGGING_CHILD";

/// Run by the next test in its own process, because the `log` bridge is process-wide.
#[test]
fn child_process() {
    if std::env::var_os(CHILD).is_none() {
        return;
    }
    let logging = start(&log(None), Format::Json);
    info!(logging.logger(), "ours");
    log::warn!(target: "rustls::conn", "from a library");
    log::info!(target: "tokio_postgres::query", "not wanted: select secret");
    for _ in 0..1_000 {
        log::error!(target: "actix_http::h1::dispatcher", "stream error: request parse error");
    }
    let panicked = std::thread::Builder::new()
        .name("worker".to_owned())
        .spawn(|| panic!("no such caller: +441632960961"))
        .unwrap()
        .join();
    assert!(panicked.is_err());
    drop(logging);
    log::warn!(target: "rustls::conn", "after the end");
    let _panicked = std::panic::catch_unwind(|| panic!("after the end"));
}

#[test]
fn a_process_logs_its_lines_library_warnings_and_panics_to_standard_error() {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "logging::tests::child_process", "--nocapture", "--test-threads=1"])
        .env(CHILD, "1")
        .env_remove("RUST_BACKTRACE")
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stderr).unwrap();
    let (logged, after) = text.split_once("panicked at").unwrap();
    assert!(after.contains("after the end"), "{after}");
    let mut lines = lines(logged.as_bytes());
    // Two queues: only the times are in order.
    lines.sort_by_key(|line| line["ts"].as_str().unwrap().to_owned());
    let malformed: Vec<Value> =
        lines.extract_if(.., |line| line["target"] == "actix_http::h1::dispatcher").collect();
    assert!((1..20).contains(&malformed.len()), "{malformed:?}");
    assert!(malformed.iter().all(|line| line["level"] == "info"), "{malformed:?}");
    let said: Vec<_> = lines.iter().map(|line| line["msg"].as_str().unwrap()).collect();
    assert_eq!(said, ["ours", "from a library", "panicked"]);
    assert_eq!(lines[1]["target"], "rustls::conn");
    assert_eq!(lines[2]["message"], "no such caller: +*****961");
    assert_eq!((&lines[2]["thread"], &lines[2]["level"]), (&Value::from("worker"), &Value::from("error")));
    assert!(lines[2]["location"].as_str().unwrap().contains("logging/tests.rs:"), "{}", lines[2]);
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(!printed.contains("ours") && !printed.contains("from a library"), "{printed}");
}
