//! What a report costs: signed `POST /webhook/elevenlabs/postcall` with 50 KB and with 5 MB on the real service. A
//! report of a live call ends that call; a report that no call has is kept for later. The service stores each body.
//! Baselines: HMAC-SHA256 and `serde_json`'s `RawValue` over the same body on one thread of this process, and an
//! actix-web handler that reads the body and does the same. The bench fails unless each report and its body are stored.
#![allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "figures for people"
)]

use std::collections::{BTreeMap, HashMap};
use std::hint::black_box;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use precall::signature::{Kind, Verifier, sign};
use precall_base::clock;
use precall_test_support::harness::callers::Callers;
use precall_test_support::harness::child::Server;
use precall_test_support::harness::load::{Exchange, all_say, closed_loop};
use precall_test_support::harness::numbers::{median, millis};
use precall_test_support::harness::ringing::ring;
use precall_test_support::harness::table::Table;
use precall_test_support::harness::world::{Cores, Plan, SECRET, Tls, World};
use precall_test_support::harness::{self, Mode, Outcome, usage};
use serde_json::json;
use serde_json::value::RawValue;

/// The argument that makes this program the server of the second baseline.
const CHECK_ONLY: &str = "check-only";
const ANSWER: &str = r#"{"status":"processed","call_id":"conv_000000000000000000000000"}"#;
const BODY_MAX: usize = 16 << 20;
/// Goal: so many reports of a live call a second, against the first baseline.
const GOAL: f64 = 0.7;
/// A report is sent so often at most, as long as the service asks for that (503).
const TRIES_MAX: usize = 20;
const AGAIN_AFTER: Duration = Duration::from_secs(1);
const STORED_WITHIN: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// The program under load, built with this bench.
const PROGRAM: &str = env!("CARGO_BIN_EXE_precall");

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some(CHECK_ONLY) {
        return match actix_web::rt::System::new().block_on(check_only()) {
            Ok(()) => ExitCode::SUCCESS,
            Err(_) => ExitCode::FAILURE,
        };
    }
    harness::run(bench)
}

async fn check_only() -> std::io::Result<()> {
    let handler = |request: HttpRequest, body: web::Bytes| async move {
        let header = request.headers().get(Kind::ElevenLabs.header_name()).map(|value| value.as_bytes());
        match is_report(header, &body) {
            true => HttpResponse::Ok().content_type("application/json").body(ANSWER),
            false => HttpResponse::BadRequest().finish(),
        }
    };
    let limit = web::PayloadConfig::new(BODY_MAX);
    let path = "/webhook/elevenlabs/postcall";
    let server =
        HttpServer::new(move || App::new().app_data(limit.clone()).route(path, web::post().to(handler)))
            .workers(1)
            .bind("127.0.0.1:0")?;
    if let Some(address) = server.addrs().first() {
        println!("listening on http://{address}");
    }
    server.run().await
}

/// The baseline: whether the signature is right and the body is JSON.
fn is_report(header: Option<&[u8]>, body: &[u8]) -> bool {
    let verified = Verifier::begin(Kind::ElevenLabs, &[SECRET.as_bytes()], header, clock::wall()).and_then(
        |mut verifier| {
            verifier.update(body);
            verifier.finish()
        },
    );
    verified.is_ok() && serde_json::from_slice::<&RawValue>(black_box(body)).is_ok()
}

/// One size of reports.
struct Size {
    name: &'static str,
    bytes: usize,
    /// Reports of each kind in one round.
    count: usize,
    connections: usize,
}

/// Figures of one server, over all rounds.
#[derive(Default)]
struct Kept {
    rates: Vec<f64>,
    cpu_ms: Vec<f64>,
    /// How often the service asked for a report again.
    again: usize,
}

impl Kept {
    /// Sends all reports. One that is answered with 503 is sent again, as the provider does.
    async fn measure(&mut self, server: &Server, connections: usize, requests: Vec<Vec<u8>>) -> Outcome<()> {
        let (pid, count, begun) = (server.pid()?, requests.len() as f64, Instant::now());
        let before = usage::cpu(pid)?;
        let mut waiting = requests;
        for _ in 0..TRIES_MAX {
            let sent = closed_loop(server.address, connections, waiting.clone()).await?;
            let (again, taken): (Vec<Exchange>, Vec<Exchange>) =
                sent.exchanges.into_iter().partition(|exchange| exchange.answer.status == 503);
            all_say(&taken, "processed")?;
            self.again += again.len();
            waiting = again.iter().filter_map(|exchange| waiting.get(exchange.ordinal).cloned()).collect();
            if waiting.is_empty() {
                break;
            }
            tokio::time::sleep(AGAIN_AFTER).await;
        }
        if !waiting.is_empty() {
            return Err(format!("{} reports were refused {TRIES_MAX} times", waiting.len()).into());
        }
        self.rates.push(count / begun.elapsed().as_secs_f64());
        self.cpu_ms.push(millis(usage::cpu(pid)?.saturating_sub(before)) / count);
        Ok(())
    }

    fn row(&self, name: &str, baselines: [&Self; 2], goal: Option<f64>) -> Vec<String> {
        let rate = median(&self.rates);
        let [alone, handler] = baselines.map(|baseline| rate / median(&baseline.rates));
        let goal = goal.map(|goal| format!("{goal}: {}", if alone >= goal { "met" } else { "MISSED" }));
        vec![
            name.to_owned(),
            format!("{rate:.1}"),
            format!("{alone:.2}"),
            format!("{handler:.2}"),
            format!("{:.2}", median(&self.cpu_ms)),
            self.again.to_string(),
            goal.unwrap_or_default(),
        ]
    }
}

async fn bench(mode: Mode) -> Outcome<()> {
    let rounds = mode.pick(5, 1);
    let sizes = [
        Size { name: "50 KB", bytes: 50_000, count: mode.pick(200, 30), connections: 16 },
        // Without optimisation the service needs seconds for 5 MB, and gives up.
        match mode {
            Mode::Full => Size { name: "5 MB", bytes: 5_000_000, count: 12, connections: 2 },
            Mode::Quick => Size { name: "500 KB", bytes: 500_000, count: 4, connections: 2 },
        },
    ];
    let mut world = World::start(Plan {
        program: PROGRAM,
        // No call ends by itself during the bench.
        conversation: Duration::from_secs(3_600),
        clone_delay: Duration::ZERO,
        cores: Cores::All,
        tls: Tls::Without,
        variables: vec![
            ("HTTP_WORKERS", "1"),
            ("CALL_ARBITERS", "1"),
            ("GREETING_MAX_SECONDS", "1"),
            ("CONVERSATION_MAX_SECONDS", "14400"),
            // The service does not fetch reports during the bench.
            ("POSTCALL_WAIT_SECONDS", "3600"),
        ],
    })
    .await?;
    println!("{}", world.describe());
    let folder = tempfile::tempdir()?;
    let check_only =
        Server::start(&std::env::current_exe()?, &[CHECK_ONLY], &BTreeMap::new(), folder.path()).await?;
    let calls = rounds * sizes.iter().map(|size| size.count).sum::<usize>();
    ring(&mut world, Callers::new()?.take(calls)?, 0).await?;
    let agents = "select provider_id from conversations where purpose = 'agent' and provider_id is not null";
    let rows = world.database.query(agents, &[]).await?;
    let mut live: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    println!("{} live calls at the beginning", world.live().await?);

    let mut table = Table::new(&["", "reports/s", "ratio", "to handler", "CPU ms", "sent again", "goal"]);
    let mut ended = 0;
    for size in &sizes {
        let (mut alone, mut handler, mut applied, mut kept) =
            (Kept::default(), Kept::default(), Kept::default(), Kept::default());
        let turns = turns(size.bytes);
        for round in 0..rounds {
            let of_live = live.split_off(live.len().saturating_sub(size.count));
            let of_nobody: Vec<String> =
                (0..size.count).map(|n| format!("conv_of_nobody_{}_{round}_{n}", size.bytes)).collect();
            let bodies: Vec<String> = of_live.iter().map(|id| report(id, &turns)).collect();
            alone.rates.push(on_one_thread(&bodies)?);
            let requests: Vec<Vec<u8>> = bodies.iter().map(|body| request(body)).collect();
            handler.measure(&check_only, size.connections, requests.clone()).await?;
            applied.measure(&world.service, size.connections, requests).await?;
            stored(&world, &of_live, "applied", size.bytes).await?;
            let requests = of_nobody.iter().map(|id| request(&report(id, &turns))).collect();
            kept.measure(&world.service, size.connections, requests).await?;
            stored(&world, &of_nobody, "kept", size.bytes).await?;
            ended += size.count;
            are_over(&world, ended).await?;
        }
        let (name, baselines) = (size.name, [&alone, &handler]);
        table.row(alone.row(&format!("{name}: baseline, one thread"), baselines, None));
        table.row(handler.row(&format!("{name}: baseline, handler"), baselines, None));
        table.row(applied.row(&format!("{name}: ends its call"), baselines, Some(GOAL)));
        table.row(kept.row(&format!("{name}: kept for later"), baselines, None));
    }
    table.print(&format!("POST /webhook/elevenlabs/postcall, one HTTP worker; medians of {rounds}"));
    println!("  the goal is the ratio to the first baseline; {} live calls at the end", world.live().await?);
    world.service.end().await
}

/// What was said in a conversation whose report has about so many bytes.
fn turns(bytes: usize) -> String {
    let words = "I would like to move my appointment from Tuesday morning to the end of the week. ".repeat(2);
    let mut turns = String::new();
    for n in 0_u32.. {
        let role = if n % 2 == 0 { "agent" } else { "user" };
        let turn = json!({ "role": role, "message": words, "time_in_call_secs": n, "tool_calls": [] });
        if turns.len() >= bytes.saturating_sub(turn.to_string().len()) {
            break;
        }
        turns.push_str(if n == 0 { "" } else { "," });
        turns.push_str(&turn.to_string());
    }
    turns
}

/// A report as ElevenLabs sends it.
fn report(conversation: &str, turns: &str) -> String {
    let now = clock::wall().0 / 1_000_000;
    let metadata = json!({ "start_time_unix_secs": now - 60, "call_duration_secs": 60 });
    format!(
        r#"{{"type":"post_call_transcription","event_timestamp":{now},"data":{{"agent_id":"agent_bench","#
    ) + &format!(
        r#""conversation_id":"{conversation}","status":"done","transcript":[{turns}],"metadata":{metadata}}}}}"#
    )
}

fn request(body: &str) -> Vec<u8> {
    let (name, value) = sign(Kind::ElevenLabs, SECRET.as_bytes(), body.as_bytes(), clock::wall());
    format!(
        "POST /webhook/elevenlabs/postcall HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\n\
         {name}: {value}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// Checked reports a second.
fn on_one_thread(bodies: &[String]) -> Outcome<f64> {
    let sign = |body: &String| sign(Kind::ElevenLabs, SECRET.as_bytes(), body.as_bytes(), clock::wall()).1;
    let signed: Vec<(&String, String)> = bodies.iter().map(|body| (body, sign(body))).collect();
    let begun = Instant::now();
    for (body, header) in &signed {
        if !is_report(Some(header.as_bytes()), black_box(body.as_bytes())) {
            return Err("the baseline refuses a report".into());
        }
    }
    Ok(bodies.len() as f64 / begun.elapsed().as_secs_f64())
}

/// Waits until the database has all these reports with this outcome, and their bodies. What the service has spooled
/// comes later.
async fn stored(world: &World, conversations: &[String], outcome: &str, bytes: usize) -> Outcome<()> {
    let statement = "select outcome, count(*), min(octet_length(body)) from webhooks
        where kind = 'post_call_transcription' and provider_id = any($1) group by outcome";
    let (begun, wanted) = (Instant::now(), i64::try_from(conversations.len())?);
    loop {
        let rows = world.database.query(statement, &[&conversations]).await?;
        let found: HashMap<String, (i64, Option<i32>)> =
            rows.iter().map(|row| (row.get(0), (row.get(1), row.get(2)))).collect();
        match found.get(outcome) {
            Some((count, Some(least))) if *count == wanted && *least as usize > bytes / 2 => return Ok(()),
            _ if begun.elapsed() > STORED_WITHIN => {
                let log = world.service.log_tail();
                return Err(format!("{wanted} reports should be {outcome}: {found:?}\n{log}").into());
            }
            _ => tokio::time::sleep(LOOK_EVERY).await,
        }
    }
}

/// Waits until so many calls are over, each with the transcript of its report.
async fn are_over(world: &World, wanted: usize) -> Outcome<()> {
    let statement = "select count(*) from call_log where state = 'released' and transcript is not null";
    let begun = Instant::now();
    loop {
        let over: i64 = world.database.query_one(statement, &[]).await?.get(0);
        if over as usize == wanted {
            return Ok(());
        }
        if begun.elapsed() > STORED_WITHIN {
            let log = world.service.log_tail();
            return Err(format!("{over} of {wanted} calls have ended with their report\n{log}").into());
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
