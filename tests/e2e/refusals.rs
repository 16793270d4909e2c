//! Floods of refused and malformed requests, and what the log of a real process says about them.

use nix::sys::signal::Signal;
use precall::config::{ApiKeys, Scope};
use regex::Regex;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::program::Run;
use crate::support::{database, http_client};

const KEY: &str = "admin-key-0123456789abcdef0123456789abcdef";
const WEBHOOKS: u64 = 2_000;
const KEYS: u64 = 200;
const MALFORMED: u64 = 200;

fn lines(stderr: &str) -> Vec<Value> {
    stderr
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}")))
        .collect()
}

fn counted(lines: &[Value], message: &str, outcome: &str) -> (usize, u64) {
    let of = |line: &&Value| line["msg"] == message && line["outcome"] == outcome;
    let counts = lines.iter().filter(of).map(|line| line["count"].as_u64().unwrap());
    (counts.clone().count(), counts.sum())
}

/// The filter of fail2ban in docs/SECURITY.md, with fail2ban's placeholder for the address.
fn documented_filter() -> Regex {
    let page = include_str!("../../docs/SECURITY.md");
    let filter = page.lines().find_map(|line| line.trim().strip_prefix("failregex = ")).unwrap();
    assert!(filter.contains("<ADDR>"), "{filter}");
    Regex::new(&filter.replace("<ADDR>", "(?P<host>[0-9a-fA-F.:]+)")).unwrap()
}

#[actix::test]
async fn a_flood_is_summarised_and_fail2ban_can_read_it() {
    let database = database();
    let samples = tempfile::tempdir().unwrap();
    let mut service = Run::of(&["serve"])
        .in_production(database.url(), "http://127.0.0.1:9", samples.path().to_str().unwrap())
        .env("API_KEYS", &ApiKeys::entry("anna", Scope::Admin, KEY).unwrap())
        .env("SOURCE_LIMIT_PER_SECOND", "100000")
        .env("LOG_LEVEL", "info")
        .start();
    let url = service.listening().await;
    let http = http_client();
    let begun = std::time::Instant::now();
    for n in 0..WEBHOOKS {
        let path = if n % 2 == 0 { "3cx" } else { "elevenlabs/postcall" };
        let answer = http.post(format!("{url}/webhook/{path}")).send_body("{}").await.unwrap();
        assert_eq!(answer.status().as_u16(), 401);
    }
    let mut wrong = Vec::new();
    for n in 0..KEYS {
        let key = format!("wrong-key-{n:0>40}");
        let answer = http.get(format!("{url}/api/v1/live")).bearer_auth(key).send().await.unwrap();
        wrong.push(answer.status().as_u16());
    }
    // Ten at once and one more every 6 s are unknown keys, the others too many.
    let unknown = u64::try_from(wrong.iter().filter(|status| **status == 401).count()).unwrap();
    assert!(
        (10..KEYS).contains(&unknown) && wrong.iter().all(|status| matches!(status, 401 | 429)),
        "{wrong:?}"
    );
    for _ in 0..MALFORMED {
        let mut stream = TcpStream::connect(url.trim_start_matches("http://")).await.unwrap();
        stream.write_all(b"\x16\x03\x01 not http\r\n\r\n").await.unwrap();
        let mut answer = Vec::new();
        // The server closes the connection, perhaps without an answer.
        let _closed = stream.read_to_end(&mut answer).await;
    }
    let seconds = begun.elapsed().as_secs() + 2;
    let mut metrics = http.get(format!("{url}/metrics")).bearer_auth(KEY).send().await.unwrap();
    let metrics = String::from_utf8(metrics.body().await.unwrap().to_vec()).unwrap();
    let expected = format!("precall_refused_api_requests_total{{outcome=\"unauthenticated\"}} {unknown}");
    assert!(metrics.contains(&expected), "{metrics}");
    service.signal(Signal::SIGTERM);
    let stderr = service.end().await.stderr;
    let lines = lines(&stderr);

    let (written, count) = counted(&lines, "webhook refused", "signature_missing");
    assert_eq!(count, WEBHOOKS, "each refusal is counted");
    assert!(u64::try_from(written).unwrap() <= 2 * seconds, "{written} lines in {seconds} s");
    for (outcome, expected) in [("unauthenticated", unknown), ("too_many_wrong_keys", KEYS - unknown)] {
        let (written, count) = counted(&lines, "API request refused", outcome);
        assert_eq!(count, expected, "{outcome}");
        assert!(u64::try_from(written).unwrap() <= seconds, "{written} lines in {seconds} s");
    }
    let errors: Vec<&Value> = lines.iter().filter(|line| line["level"] == "error").collect();
    assert!(errors.is_empty(), "a malformed request is no error of precall: {errors:?}");
    let of_libraries = lines.iter().filter(|line| line["target"].is_string()).count();
    assert!(u64::try_from(of_libraries).unwrap() <= 3 * seconds, "{of_libraries} lines in {seconds} s");

    let filter = documented_filter();
    let (hits, others): (Vec<&str>, Vec<&str>) = stderr.lines().partition(|line| filter.is_match(line));
    assert!(!hits.is_empty(), "{stderr}");
    for line in hits {
        assert!(line.contains("\"msg\":\"API request refused\""), "{line}");
        assert_eq!(&filter.captures(line).unwrap()["host"], "127.0.0.1", "{line}");
        assert!(!filter.is_match(&line.replace("127.0.0.1", "others")), "nobody is banned for the others");
    }
    assert!(others.iter().all(|line| !line.contains("unauthenticated")), "{others:?}");
}
