//! What a webhook costs: `POST /webhook/3cx` on the real service, signed, against a handler that only reads the body,
//! and the signature alone. Server, provider and database are processes of their own; one HTTP worker and one call
//! arbiter.
#![allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "figures for people"
)]

use std::collections::BTreeMap;
use std::hint::black_box;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use actix_web::{App, HttpResponse, HttpServer, web};
use precall::signature::{Kind, Verifier, sign};
use precall_base::clock;
use precall_test_support::harness::callers::Callers;
use precall_test_support::harness::child::Server;
use precall_test_support::harness::load::{all_say, closed_loop, open_loop};
use precall_test_support::harness::numbers::{median, micros, percentile};
use precall_test_support::harness::table::Table;
use precall_test_support::harness::world::{Cores, Plan, SECRET, Tls, World, incoming, outgoing};
use precall_test_support::harness::{self, Mode, Outcome, client, usage};

/// The argument that makes this program the server of the baseline.
const BODY_ONLY: &str = "body-only";
/// As long as a real answer of the service.
const ANSWER: &str = concat!(
    r#"{"status":"ignored","call_id":null,"cloned_voice_id":null,"#,
    r#""threecx_call_id":"bench-000000","message":"calls that go out are not ours"}"#
);
const CONNECTIONS: usize = 16;
const OPEN_RATE: u32 = 200;

/// The program under load, built with this bench.
const PROGRAM: &str = env!("CARGO_BIN_EXE_precall");

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some(BODY_ONLY) {
        return match actix_web::rt::System::new().block_on(body_only()) {
            Ok(()) => ExitCode::SUCCESS,
            Err(_) => ExitCode::FAILURE,
        };
    }
    harness::run(bench)
}

async fn body_only() -> std::io::Result<()> {
    let handler = |body: web::Bytes| async move {
        black_box(body);
        HttpResponse::Ok().content_type("application/json").body(ANSWER)
    };
    let server = HttpServer::new(move || App::new().route("/webhook/3cx", web::post().to(handler)))
        .workers(1)
        .bind("127.0.0.1:0")?;
    if let Some(address) = server.addrs().first() {
        println!("listening on http://{address}");
    }
    server.run().await
}

/// Figures of one kind of request to one server, over all rounds.
#[derive(Default)]
struct Kept {
    rates: Vec<f64>,
    cpu_us: Vec<f64>,
    open_p50: Vec<f64>,
    open_p99: Vec<f64>,
}

impl Kept {
    /// Measures rate and CPU time in a closed loop, and the time of an answer in an open loop.
    async fn measure(&mut self, server: &Server, status: &str, closed: Load, open: Load) -> Outcome<()> {
        let pid = server.pid()?;
        let before = usage::cpu(pid)?;
        let answered = closed_loop(server.address, CONNECTIONS, closed).await?;
        let used = usage::cpu(pid)?.saturating_sub(before);
        all_say(&answered.exchanges, status)?;
        self.rates.push(answered.rate());
        self.cpu_us.push(micros(used) / answered.exchanges.len() as f64);
        let answered = open_loop(server.address, OPEN_RATE, open).await?;
        all_say(&answered, status)?;
        let took: Vec<f64> = answered.iter().map(|exchange| micros(exchange.took)).collect();
        self.open_p50.push(median(&took));
        self.open_p99.push(percentile(&took, 0.99));
        Ok(())
    }

    fn row(&self, name: &str, baseline: &Self) -> Vec<String> {
        let (rate, cpu) = (median(&self.rates), median(&self.cpu_us));
        vec![
            name.to_owned(),
            format!("{rate:.0}"),
            format!("{:.2}", rate / median(&baseline.rates)),
            format!("{cpu:.0}"),
            format!("{:.1}", cpu / median(&baseline.cpu_us)),
            format!("{:.0}", median(&self.open_p50)),
            format!("{:.0}", median(&self.open_p99)),
        ]
    }
}

type Load = Vec<Vec<u8>>;

async fn bench(mode: Mode) -> Outcome<()> {
    let (rounds, requests, accepted) = (mode.pick(5, 1), mode.pick(8_000, 1_000), mode.pick(300, 100));
    let open = mode.pick(600, 200);
    let mut world = World::start(Plan {
        program: PROGRAM,
        // No call ends during the bench: only the start of calls is measured.
        conversation: Duration::from_secs(3_600),
        clone_delay: Duration::ZERO,
        cores: Cores::All,
        tls: Tls::Without,
        variables: vec![("HTTP_WORKERS", "1"), ("CALL_ARBITERS", "1"), ("CONVERSATION_MAX_SECONDS", "14400")],
    })
    .await?;
    println!("{}", world.describe());
    let folder = tempfile::tempdir()?;
    let itself = std::env::current_exe()?;
    let body_only = Server::start(&itself, &[BODY_ONLY], &BTreeMap::new(), folder.path()).await?;
    let mut callers = Callers::new()?;
    let mut next = 0_usize;
    let (mut read, mut ignored, mut duplicate, mut new) =
        (Kept::default(), Kept::default(), Kept::default(), Kept::default());
    for _ in 0..rounds {
        let caller = callers.take(1)?.remove(0);
        let out = client::webhook(SECRET, &outgoing("bench-000000", &caller));
        read.measure(&body_only, "ignored", vec![out.clone(); requests], vec![out.clone(); open]).await?;
        ignored.measure(&world.service, "ignored", vec![out.clone(); requests], vec![out; open]).await?;
        let mut calls = |count: usize| -> Outcome<Load> {
            let callers = callers.take(count)?;
            let calls = callers.iter().map(|caller| {
                next = next.saturating_add(1);
                client::webhook(SECRET, &incoming(&format!("bench-{next:06}"), caller))
            });
            Ok(calls.collect())
        };
        let first = calls(1)?;
        all_say(&open_loop(world.service.address, OPEN_RATE, first.clone()).await?, "accepted")?;
        let again = first.first().cloned().unwrap_or_default();
        duplicate
            .measure(&world.service, "duplicate", vec![again.clone(); requests], vec![again; open])
            .await?;
        let (closed, open) = (calls(accepted)?, calls(accepted)?);
        new.measure(&world.service, "accepted", closed, open).await?;
    }
    let mut table = Table::new(&["", "req/s", "ratio", "CPU us", "ratio", "p50 us", "p99 us"]);
    table.row(read.row("baseline: reads the body", &read));
    table.row(ignored.row("ignored: signature, JSON, answer", &read));
    table.row(duplicate.row("duplicate of a live call", &read));
    table.row(new.row("accepted, durable, call under way", &read));
    table.print(&format!(
        "POST /webhook/3cx, 230-byte bodies, {CONNECTIONS} connections; latency at {OPEN_RATE}/s; medians of {rounds}"
    ));
    signature(mode);
    println!("\n{} live calls at the end", world.live().await?);
    world.service.end().await
}

/// Signing and verifying a webhook, without HTTP.
fn signature(mode: Mode) {
    let (batches, size) = mode.pick((31, 20_000_u32), (7, 5_000));
    let mut table = Table::new(&["", "sign us", "verify us"]);
    for bytes in [300, 71_000] {
        let (body, now) = (vec![b'x'; bytes], clock::now());
        let per_batch = if bytes > 1_000 { size / 100 } else { size };
        let (_, header) = sign(Kind::ThreeCx, SECRET.as_bytes(), &body, now);
        let signed = each(batches, per_batch, || {
            black_box(sign(Kind::ThreeCx, SECRET.as_bytes(), black_box(&body), now));
        });
        let verified = each(batches, per_batch, || {
            let header = Some(header.as_bytes());
            let verified =
                Verifier::begin(Kind::ThreeCx, &[SECRET.as_bytes()], header, now).and_then(|mut verifier| {
                    verifier.update(black_box(&body[..]));
                    verifier.finish()
                });
            assert!(black_box(verified.is_ok()));
        });
        table.row(vec![format!("{bytes} bytes"), format!("{signed:.2}"), format!("{verified:.2}")]);
    }
    table.print("HMAC-SHA256 over a webhook's body, header included");
}

/// The median over batches, in microseconds.
fn each(batches: usize, size: u32, mut work: impl FnMut()) -> f64 {
    let one = |_| {
        let begun = Instant::now();
        for _ in 0..size {
            work();
        }
        micros(begun.elapsed()) / f64::from(size)
    };
    median(&(0..batches).map(one).collect::<Vec<_>>())
}
