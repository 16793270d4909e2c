//! Erasure of a caller: no number, text or sample stays in tables, spool or files, and late data does not bring them
//! back.

use std::path::Path;

use precall_call::At;
use precall_simulators::elevenlabs::{Fault, ReportFate};
use precall_store::growth::retention;
use precall_store::verify::verify;
use serde_json::{Value, json};
use tokio_postgres::Client;
use uuid::Uuid;

use crate::support::{ADD, CALLED, DIAL, KEY, Plan, World, connect_to, dial_fault, fault, incoming, until};

/// Of webhooks of 3CX that are not signed.
const TOKEN: &str = "token-of-webhooks-0123456789-0123456789";
/// The scripted agent's words in every conversation.
const WORDS: &str = "nine to five";

/// Every row of every table as text.
async fn rows_with(client: &Client, text: &str) -> Vec<String> {
    let tables = "select c.oid::regclass::text from pg_class c join pg_namespace n on n.oid = c.relnamespace
        where c.relkind = 'r' and n.nspname = 'public' order by 1";
    let mut found = Vec::new();
    for table in client.query(tables, &[]).await.unwrap() {
        let table: String = table.get(0);
        // `bytea` is shown in hex, so the hex form is searched too.
        let statement = format!(
            "select count(*) from {table} t where position($1 in t::text) > 0
                or position(encode(convert_to($1, 'UTF8'), 'hex') in t::text) > 0"
        );
        let count: i64 = client.query_one(&statement, &[&text]).await.unwrap().get(0);
        if count > 0 {
            found.push(format!("{count} rows of {table}"));
        }
    }
    found
}

/// Files below a folder whose content or name contains these bytes.
fn files_with(folder: &Path, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files_with(&path, text));
            continue;
        }
        let content = std::fs::read(&path).unwrap_or_default();
        let named = path.file_name().is_some_and(|name| name.to_string_lossy().contains(text));
        if named || content.windows(text.len()).any(|window| window == text.as_bytes()) {
            found.push(path.display().to_string());
        }
    }
    found
}

async fn erase(world: &World, caller: &str) -> (u16, Value) {
    let path = format!("/api/v1/callers/{}?erase=true", caller.replace('+', "%2B"));
    let request = world.http.delete(format!("{}{path}", world.app.url())).bearer_auth(KEY);
    let mut answer = request.timeout(std::time::Duration::from_secs(30)).send().await.unwrap();
    let body = answer.body().await.unwrap();
    (answer.status().as_u16(), serde_json::from_slice(&body).unwrap())
}

/// Makes twenty calls, many with faults. Returns the ids of all.
async fn twenty_calls(world: &World, caller: &str) -> Vec<Uuid> {
    let once = |fault: Fault| Fault { times: Some(1), ..fault };
    let mut calls = Vec::new();
    for n in 0..20 {
        match n % 5 {
            1 => world.faults(vec![once(Fault { status: Some(500), ..fault(DIAL) })]),
            2 => world.faults(vec![once(Fault { close: true, after: true, ..fault(DIAL) })]),
            3 => world.faults(vec![once(Fault { status: Some(503), ..fault(ADD) })]),
            // This greeting's report arrives only after the erasure.
            4 => world.faults(vec![Fault { report: ReportFate::None, ..dial_fault("greeting") }]),
            _ => world.faults(Vec::new()),
        }
        let call = world.ring(&format!("pbx-{n}"), caller).await;
        if n % 4 == 3 {
            let end = json!({ "event_type": "CallEnded", "call_id": format!("pbx-{n}"), "caller_id": caller,
                "called_number": CALLED, "recording_url": format!("https://pbx/rec/{caller}.wav") });
            world.post_3cx(&end).await;
        }
        world.released(call).await;
        calls.push(call);
    }
    world.faults(Vec::new());
    // A webhook with a valid signature and an unreadable body.
    let body = format!("{{\"event_type\":\"IncomingCall\",\"caller_id\":\"{caller}\"");
    let signed = precall::signature::sign(
        precall::signature::Kind::ThreeCx,
        crate::support::SECRET.as_bytes(),
        body.as_bytes(),
        precall_base::clock::now(),
    );
    assert_eq!(world.post("/webhook/3cx", &[(signed.0, &signed.1)], body).await.0, 400);
    calls
}

#[actix::test]
async fn an_erased_caller_leaves_no_data_and_late_data_is_erased_too() {
    let world = World::with(
        Plan::default()
            .conversation_ms(40)
            .clone_delay_ms("5")
            .env("CALLBACK_LIMIT_PER_NUMBER_HOUR", "1000")
            .env("STORE_RECORDINGS", "true")
            .env("THREECX_WEBHOOK_TOKEN", TOKEN),
    )
    .await;
    let (caller, other) = (world.known_caller(1).await, world.known_caller(2).await);
    let neighbour = world.ring("pbx-other", &other).await;
    world.completed(neighbour).await;
    let calls = twenty_calls(&world, &caller).await;
    let digits = &caller[1..];
    let recording = world.samples().join("recordings");
    std::fs::create_dir_all(&recording).unwrap();
    let conversation = world.conversation(calls[0], "agent").await;
    let greeting = world.conversation(calls[4], "greeting").await;
    std::fs::write(recording.join(format!("{conversation}.mp3")), b"sound").unwrap();
    let damaged = world.spool().join("0199c0de-0000-7000-8000-000000000001");
    std::fs::create_dir_all(&damaged).unwrap();
    std::fs::write(damaged.join("00000000000000000001.damaged"), format!("...{caller}...")).unwrap();
    until("everything is written", || async { world.app.engine().health().queued_events == 0 }).await;
    assert!(rows_with(&world.client, digits).await.len() > 6, "{:?}", rows_with(&world.client, digits).await);
    assert!(!files_with(world.samples(), digits).is_empty());
    let words = rows_with(&world.client, WORDS).await;

    let (status, report) = erase(&world, &caller).await;
    assert_eq!(status, 200, "{report}");
    assert_eq!((&report["done"]["calls"], &report["pending"]), (&json!(20), &json!([])), "{report}");
    assert_eq!(report["done"]["samples"], json!(1), "{report}");
    assert_eq!(report["done"]["spool_files"], json!(1), "{report}");
    assert_eq!(rows_with(&world.client, digits).await, [] as [String; 0], "the number");
    assert_eq!(rows_with(&world.client, "1.wav").await, [] as [String; 0], "the sample's path");
    assert_eq!(files_with(world.samples(), digits), [] as [String; 0]);
    assert!(!world.sample(1).exists(), "the sample");
    assert!(world.sample(2).exists(), "another caller's sample");
    assert!(!recording.join(format!("{conversation}.mp3")).exists(), "a recording");
    for call in &calls {
        let left = "select transcript from call_log where id = $1 and transcript is not null";
        assert!(world.client.query_opt(left, &[call]).await.unwrap().is_none());
    }
    let kept = "select transcript from call_log where id = $1";
    let kept: String = world.client.query_one(kept, &[&neighbour]).await.unwrap().get(0);
    assert!(kept.contains(WORDS) && !words.is_empty(), "another caller's transcript stays");
    let voices = world.simulator.voices();
    assert_eq!(voices.as_array().unwrap().len(), 1, "{voices}");
    let left = world.simulator.conversations();
    let left: Vec<&Value> =
        left.as_array().unwrap().iter().filter(|c| c["to_number"] == json!(caller)).collect();
    assert_eq!(left, [] as [&Value; 0], "conversations at the provider");

    // Late data: a repeated report, a call end, the same call, and a replay from the spool.
    let late = json!({ "type": "post_call_transcription", "event_timestamp": 1_764_425_485, "data": {
        "agent_id": "agent_test", "conversation_id": conversation, "status": "done",
        "transcript": [{ "role": "user", "message": format!("I am {caller}"), "time_in_call_secs": 1 }],
        "metadata": { "start_time_unix_secs": 1_764_425_361, "call_duration_secs": 9 },
        "analysis": { "call_successful": "success", "transcript_summary": format!("{caller} asked."),
            "data_collection_results": { "number": { "value": caller, "rationale": "The caller said it." } } },
        "conversation_initiation_client_data": { "user_id": calls[0].to_string(),
            "dynamic_variables": { "call_id": calls[0].to_string(), "system__caller_id": caller } } } });
    assert_eq!(world.post_report(&late).await.0, 200);
    let mut unheard = late.clone();
    unheard["data"]["conversation_id"] = json!(greeting);
    let data = &mut unheard["data"]["conversation_initiation_client_data"];
    data["user_id"] = json!(calls[4].to_string());
    data["dynamic_variables"]["call_id"] = json!(calls[4].to_string());
    data["dynamic_variables"]["precall_purpose"] = json!("greeting");
    assert_eq!(world.post_report(&unheard).await.0, 200);
    let reported = "select 1 from call_events where call = $1 and event ->> 'conversation_id' = $2
        and event ->> 'kind' = 'reported' limit 1";
    world.until_row("the late report is applied", reported, &[&calls[4], &greeting]).await;
    let end = json!({ "event_type": "CallEnded", "call_id": "pbx-3", "caller_id": caller, "called_number": CALLED,
        "duration": 7 });
    assert_eq!(world.post_3cx(&end).await.0, 200);
    let (status, by_token) = world.post("/webhook/3cx", &[("x-api-key", TOKEN)], end.to_string()).await;
    assert_eq!(status, 200, "{by_token}");
    let kept = "select count(*) from webhooks where kind = '3cx_by_token' and body is null";
    assert_eq!(world.count(kept, &[]).await, 1, "a late webhook by token keeps its row alone");
    assert_eq!(rows_with(&world.client, digits).await, [] as [String; 0], "late data");
    let verified = verify(&mut connect_to(&world.url).await).await.unwrap();
    assert_eq!(verified.breaches, []);
    let world = world.restart().await;
    assert_eq!(rows_with(&world.client, digits).await, [] as [String; 0], "after a restart");
    assert_eq!(erase(&world, &caller).await.0, 404, "nothing is left to erase");
    world.stop().await;
}

#[actix::test]
async fn a_caller_is_erased_in_every_account() {
    const CLINIC: &str = "+12025550181";
    let world = World::with(Plan::default().conversation_ms(40).clone_delay_ms("5")).await;
    world.execute("insert into lines (number, account_id) values ($1, 'clinic')", &[&CLINIC]).await;
    world.app.reload_lines().await;
    let caller = world.known_caller(1).await;
    let first = world.ring("pbx-1", &caller).await;
    world.completed(first).await;
    let mut to_clinic = incoming("pbx-2", &caller);
    to_clinic["called_number"] = json!(CLINIC);
    let (status, answer) = world.post_3cx(&to_clinic).await;
    assert_eq!(status, 200, "{answer}");
    let second: Uuid = answer["call_id"].as_str().unwrap().parse().unwrap();
    let row = world.completed(second).await;
    assert_eq!(row.get::<_, String>("account_id"), "clinic");
    until("everything is written", || async { world.app.engine().health().queued_events == 0 }).await;

    let (status, report) = erase(&world, &caller).await;
    assert_eq!((status, &report["done"]["calls"]), (200, &json!(2)), "{report}");
    assert_eq!(rows_with(&world.client, &caller[1..]).await, [] as [String; 0]);
    let verified = verify(&mut connect_to(&world.url).await).await.unwrap();
    assert_eq!(verified.breaches, []);
    assert_eq!(erase(&world, &caller).await.0, 404, "nothing is left to erase");
    world.stop().await;
}

#[actix::test]
async fn a_caller_in_a_live_call_is_not_erased_and_failed_deletions_are_retried() {
    let world = World::with(Plan::default().conversation_ms(1_500)).await;
    let caller = world.known_caller(1).await;
    let call = world.ring("pbx-1", &caller).await;
    world.in_state(call, "conversing").await;
    let (status, problem) = erase(&world, &caller).await;
    assert_eq!((status, &problem["code"]), (409, &json!("caller_is_live")));
    world.completed(call).await;
    until("the call is over", || async { world.app.engine().live().is_empty() }).await;
    let refuses = Fault {
        method: Some("DELETE".to_owned()),
        status: Some(500),
        ..Fault::on("/v1/convai/conversations/")
    };
    world.faults(vec![refuses]);
    let (status, report) = erase(&world, &caller).await;
    assert_eq!(status, 200, "{report}");
    assert_eq!(report["pending"][0]["what"], json!("conversation"), "{report}");
    world.faults(Vec::new());
    world.execute("update deletions set due_at = now()", &[]).await;
    world
        .until_row(
            "all deletions are done",
            "select 1 where not exists (select from deletions where done_at is null)",
            &[],
        )
        .await;
    assert_eq!(world.simulator.conversations(), json!([]));
    world.stop().await;
}

/// Copies every table.
async fn back_up(client: &Client) {
    let copy = "do $$ declare t text; begin
        create schema backup;
        for t in select relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
            where c.relkind in ('r', 'p') and n.nspname = 'public' and not c.relispartition loop
            execute format('create table backup.%I as table public.%I', t, t);
        end loop; end $$";
    client.batch_execute(copy).await.unwrap();
}

/// Restores every table from its copy.
async fn bring_back(client: &Client) {
    let copy = "do $$ declare t text; begin
        set local session_replication_role = replica;
        for t in select relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
            where c.relkind = 'r' and n.nspname = 'backup' loop
            execute format('delete from public.%I', t);
            execute format('insert into public.%I table backup.%I', t, t);
        end loop;
        drop schema backup cascade; end $$";
    client.batch_execute(copy).await.unwrap();
}

#[actix::test]
async fn after_restoring_a_backup_erased_data_is_erased_again() {
    let world = World::new().await;
    let caller = world.known_caller(1).await;
    let call = world.ring("pbx-1", &caller).await;
    world.completed(call).await;
    until("everything is written", || async { world.app.engine().health().queued_events == 0 }).await;
    back_up(&world.client).await;
    let digits = &caller[1..];
    assert_eq!(erase(&world, &caller).await.0, 200);
    let ledger = world.samples().join("erasures.jsonl");
    assert!(!std::fs::read_to_string(&ledger).unwrap().contains(digits), "a phone number in the ledger");
    world.app.stop_now().await;
    bring_back(&world.client).await;
    assert!(!rows_with(&world.client, digits).await.is_empty(), "the backup contains the number");
    let ended = tokio::process::Command::new(env!("CARGO_BIN_EXE_precall"))
        .args(["restore", "--ledger", ledger.to_str().unwrap()])
        .env("DATABASE_URL", &world.url)
        .output()
        .await
        .unwrap();
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    assert_eq!(rows_with(&world.client, digits).await, [] as [String; 0]);
    assert_eq!(verify(&mut connect_to(&world.url).await).await.unwrap().breaches, []);
    world.simulator.stop().await;
}

#[actix::test]
async fn old_transcripts_are_deleted_and_their_calls_stay() {
    let world = World::new().await;
    let call = world.ring("pbx-1", &world.known_caller(1).await).await;
    world.completed(call).await;
    let transcript = "select transcript from call_log where transcript is not null and id = $1";
    let pool = world.app.engine().pool();
    let (now, day) = (precall_base::clock::now(), 86_400_000_000);
    assert_eq!(retention::drop_words(&pool, At(now.0 - day)).await.unwrap(), 0);
    assert!(world.client.query_opt(transcript, &[&call]).await.unwrap().is_some());
    assert!(retention::drop_words(&pool, At(now.0 + day)).await.unwrap() > 0);
    assert!(world.client.query_opt(transcript, &[&call]).await.unwrap().is_none());
    let left = rows_with(&world.client, WORDS).await;
    assert!(
        left.iter().all(|table| table.contains("webhooks")),
        "webhook bodies have their own retention: {left:?}"
    );
    world.is_sound().await;
    world.stop().await;
}
