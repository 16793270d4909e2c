//! `precall migrate --adopt`: a large and odd database of the service before is taken over, verified and served; a dry
//! run and a killed run leave it as it was.

mod before;
mod killed;

use serde_json::json;
use tempfile::TempDir;

use crate::program::{Ended, Run};
use crate::support::{KEY, Plan, World, connect_to, database, empty_database, write_sample};
use before::{Before, contents, md5};

const BASIS: &str = "Signed forms of 2024, folder 12";

/// A folder with the samples that the rows name.
fn samples() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for n in 0..3 {
        write_sample(&folder.path().join(format!("sample-{n}.wav")), n + 1);
    }
    folder
}

async fn migrate(url: &str, samples: &TempDir, more: &[&str]) -> Ended {
    let arguments = [&["migrate", "--adopt"], more].concat();
    let run = Run::of(&arguments).env("DATABASE_URL", url).env("DEFAULT_REGION", "US");
    run.env("LOCAL_VOICE_SAMPLES_PATH", samples.path().to_str().unwrap()).end().await
}

/// The lines that begin with a number of rows.
fn counts(stdout: &str) -> Vec<&str> {
    let is_count = |line: &&str| line.trim_start().starts_with(|c: char| c.is_ascii_digit());
    stdout.lines().take_while(|line| *line != "To settle:").filter(is_count).collect()
}

fn count_of(stdout: &str, words: &str) -> i64 {
    let line = counts(stdout).into_iter().find(|line| line.contains(words));
    let line = line.unwrap_or_else(|| panic!("{words} is not in {stdout}"));
    line.split_whitespace().next().unwrap().parse().unwrap()
}

#[actix::test]
async fn a_large_and_odd_database_is_adopted_verified_and_served() {
    let folder = samples();
    let before = Before::new().await;
    let url = before.copy().await;
    let client = connect_to(&url).await;
    // Times are UTC, whatever the server takes for its zone.
    let name = url.rsplit_once('/').unwrap().1;
    client.batch_execute(&format!("alter database {name} set timezone to 'America/New_York'")).await.unwrap();

    // The dry run changes nothing.
    let old = contents(&client).await;
    let dry = migrate(&url, &folder, &["--dry-run", "--consent-basis", BASIS]).await;
    assert_eq!(dry.code, Some(0), "{}{}", dry.stdout, dry.stderr);
    assert_eq!(contents(&client).await, old, "the dry run changed something");
    for (words, least) in [
        ("call_log: times without a zone", 10_000),
        ("call_log: still open", 3_333),
        ("call_log: metadata is the JSON null", 700),
        ("call_log: metadata is no JSON object", 2_600),
        ("call_log: metadata that jsonb refuses", 2_300),
        ("call_log: the caller hid the number", 3),
        ("call_log: times that are infinite", 100),
        ("caller_voice_mapping: another spelling", 400),
        ("caller_voice_mapping: caller_id is no telephone number", 900),
        ("caller_voice_mapping: caller_id is written as", 1_000),
        ("caller_voice_mapping: an account of its own", 2_000),
        ("voice_clone_cache: a second voice of a caller", 3_000),
        ("speakers agree", 3),
    ] {
        assert!(count_of(&dry.stdout, words) >= least, "{words}: {}", dry.stdout);
    }
    let without = migrate(&url, &folder, &["--dry-run"]).await.stdout;
    let lacking = without.lines().find(|line| line.contains("mapped callers have no consent")).unwrap();
    let words: Vec<&str> = lacking.split_whitespace().collect();
    assert_eq!((words[1], words[0]), ("of", words[2]), "all of them: {lacking}");
    assert!(without.contains("precall migrate --adopt --consent-basis '"), "{without}");
    assert!(without.contains(" samples are missing: missing/"), "{without}");
    assert!(without.contains(" samples are of no use: "), "{without}");

    // The real run does what the dry run said.
    let kept = kept(&url, "").await;
    let real = migrate(&url, &folder, &["--consent-basis", BASIS]).await;
    assert_eq!(real.code, Some(0), "{}{}", real.stdout, real.stderr);
    assert_eq!(counts(&real.stdout), counts(&dry.stdout), "{}", real.stdout);
    assert_eq!(self::kept(&url, "at time zone 'utc'").await, kept, "what no rule names was changed");
    is_as_said(&url).await;

    // A second run has nothing to do, and says so.
    let adopted = contents(&client).await;
    for more in [&["--consent-basis", BASIS][..], &["--dry-run"], &[]] {
        let again = migrate(&url, &folder, more).await;
        assert_eq!(again.code, Some(0), "{}", again.stderr);
        assert!(again.stdout.contains("was adopted on 2"), "{}", again.stdout);
        assert_eq!(contents(&client).await, adopted, "{more:?} changed something");
    }
    let verified = Run::of(&["verify"]).env("DATABASE_URL", &url).end().await;
    assert_eq!(verified.code, Some(0), "{}{}", verified.stdout, verified.stderr);
    assert!(verified.stdout.contains("everything holds"), "{}", verified.stdout);
    serves(url, &folder).await;
}

/// What an adoption must not change: texts, and times between the years 1 and 9999, as UTC.
async fn kept(url: &str, as_utc: &str) -> Vec<String> {
    let client = connect_to(url).await;
    let moment = |name: &str| format!("({name} {as_utc})::text");
    let within = |name: &str| format!("{name} between '1000-01-01' and '9000-01-01'");
    let mut found = Vec::new();
    for (table, text, time) in [
        ("caller_voice_mapping", "voice_sample_url || voice_name", "created_at"),
        ("voice_clone_cache", "cloned_voice_id", "clone_created_at"),
        (
            "call_log",
            "coalesce(call_id, '') || threecx_call_id || coalesce(transcript, '-')",
            "call_started_at",
        ),
        (
            "voice_clone_log",
            "coalesce(cloned_voice_id, '') || coalesce(error_message, '-') || status",
            "created_at",
        ),
        (
            "clone_ready_events",
            "greeting_call_id || cloned_voice_id || greatest(clone_duration_ms, 0)",
            "ready_at",
        ),
        ("clone_failed_events", "greeting_call_id || error_message", "failed_at"),
        ("clone_transfer_events", "greeting_call_id || agent_call_id || cloned_voice_id", "transferred_at"),
    ] {
        found.push(md5(&client, table, &format!("id || {text}"), "true").await);
        found.push(md5(&client, table, &format!("id || {}", moment(time)), &within(time)).await);
    }
    found
}

/// The rows are as the report says.
async fn is_as_said(url: &str) {
    let client = connect_to(url).await;
    // Every third call was open.
    let open =
        "create temp table open as select md5('l' || i)::uuid as id from generate_series(3, 10000, 3) i";
    client.batch_execute(open).await.unwrap();
    for (what, statement) in [
        (
            "a call is open",
            "select count(*) from call_log where status = 'initiated' or call_ended_at is null",
        ),
        (
            "a closed call has no cause",
            "select count(*) from call_log
                where (cause is not distinct from 'adopted') <> (id in (select id from open))",
        ),
        ("a time is infinite", "select count(*) from call_log where not isfinite(call_started_at)"),
        (
            "two callers are one",
            "select count(*) from (select from caller_voice_mapping where deleted_at is null
                group by caller_id having count(*) > 1) twice",
        ),
        (
            "two cached voices are one caller's",
            "select count(*) from (select from voice_clone_cache where deleted_at is null
                group by caller_id having count(*) > 1) twice",
        ),
        (
            "a mapped caller is no number",
            "select count(*) from caller_voice_mapping where deleted_at is null
                and caller_id !~ '^([+][1-9][0-9]{1,14}|[0-9]{1,6})$'",
        ),
        (
            "an account is another one",
            "select count(*) from caller_voice_mapping where account_id <> 'default'",
        ),
        ("metadata is no object", "select count(*) from call_log where jsonb_typeof(metadata) <> 'object'"),
        (
            "a caller with a sample has no speaker",
            "select count(*) from caller_voice_mapping where deleted_at is null and speaker is null
                and voice_sample_url like 'sample-%'",
        ),
    ] {
        let wrong: i64 = client.query_one(statement, &[]).await.unwrap().get(0);
        assert_eq!(wrong, 0, "{what}");
    }
    let gained =
        "select reuse_count from voice_clone_cache where deleted_at is null and caller_id = '+493010000013'";
    let row = client.query_opt(gained, &[]).await.unwrap();
    assert!(row.is_some_and(|row| row.get::<_, i32>(0) >= 12), "the uses of both rows");
    let description = "select count(*) from caller_voice_mapping where description like '%(account: acme)'";
    assert!(client.query_one(description, &[]).await.unwrap().get::<_, i64>(0) > 1_000);
}

/// Calls of adopted callers, and every list of the API.
async fn serves(url: String, folder: &TempDir) {
    let plan = Plan::default().env("LOCAL_VOICE_SAMPLES_PATH", folder.path().to_str().unwrap());
    let plan = plan.env("CALLBACK_COUNTRIES", "DE,US").env("CONSENT_REQUIRED", "true");
    let world = World::at(url, plan).await;
    let caller = "select caller_id from caller_voice_mapping where deleted_at is null and speaker is not null
        and caller_id like '+4930%' order by caller_id limit 1";
    let caller: String = world.client.query_one(caller, &[]).await.unwrap().get(0);
    let call = world.ring("after-the-adoption", &caller).await;
    let row = world.completed(call).await;
    assert!(
        row.get::<_, Option<String>>("cloned_voice_id").is_some(),
        "a voice was cloned, with the consent"
    );
    world.is_sound().await;
    for path in ["calls", "callers", "speakers", "voices", "audit"] {
        let mut cursor = String::new();
        for _ in 0..10_000 {
            let (status, page) = world.get(&format!("/api/v1/{path}?limit=200{cursor}")).await;
            assert_eq!(status, 200, "{path}{cursor}: {page}");
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
    }
    let old = "select id::text from call_log where last_seq = 0 and status = $1 order by id limit 20";
    for status in ["completed", "failed"] {
        for row in world.client.query(old, &[&status]).await.unwrap() {
            let id: String = row.get(0);
            let (status, call) = world.get(&format!("/api/v1/calls/{id}")).await;
            assert_eq!(status, 200, "{call}");
            assert_eq!(world.get(&format!("/api/v1/calls/{id}/events")).await.0, 200, "{id}");
        }
    }
    let (status, statistics) = world.get("/api/v1/statistics").await;
    assert_eq!((status, &statistics["total_calls"]), (200, &json!(10_001)), "{statistics}");
    is_erased(&world, &caller).await;
    world.stop().await;
}

/// An erasure leaves nothing of what the old calls of a caller held.
async fn is_erased(world: &World, caller: &str) {
    let of_caller =
        "select count(*) from call_log where caller_id = $1 and last_seq = 0 and metadata is not null";
    assert!(world.count(of_caller, &[&caller]).await > 0, "the caller has old calls");
    let path = format!("/api/v1/callers/{}?erase=true", caller.replace('+', "%2B"));
    let request = world.http.delete(format!("{}{path}", world.app.url())).bearer_auth(KEY);
    assert_eq!(request.send().await.unwrap().status().as_u16(), 200);
    for table in ["caller_voice_mapping", "voice_clone_cache", "call_log", "clone_ready_events"] {
        let left = format!("select count(*) from {table} where caller_id = $1");
        assert_eq!(world.count(&left, &[&caller]).await, 0, "{table}");
    }
    let left = "select count(*) from call_log where caller_id = 'erased' and last_seq = 0
        and (metadata is not null or transcript is not null)";
    assert_eq!(world.count(left, &[]).await, 0);
}

#[actix::test]
async fn consents_may_be_recorded_after_the_adoption() {
    let folder = samples();
    let url = before::with_rows(
        "insert into caller_voice_mapping
            select gen_random_uuid(), '+4930100000' || n, 'sample-' || n % 2 || '.wav', 'Anna', null, null, now(),
                now(), null::timestamp
            from generate_series(10, 13) n
        union all select gen_random_uuid(), '101', 'missing.wav', 'Ben', null, null, now(), now(), null",
    )
    .await;
    let adopted = migrate(&url, &folder, &[]).await;
    assert_eq!(adopted.code, Some(0), "{}", adopted.stderr);
    assert!(adopted.stdout.contains("5 of 5 mapped callers have no consent"), "{}", adopted.stdout);
    let client = connect_to(&url).await;
    let old = contents(&client).await;
    let basis = ["--consent-basis", BASIS];
    let dry = migrate(&url, &folder, &[&["--dry-run"], &basis[..]].concat()).await;
    assert_eq!(contents(&client).await, old, "the dry run changed something");
    let real = migrate(&url, &folder, &basis).await;
    assert_eq!((real.code, &real.stdout), (Some(0), &dry.stdout), "{}", real.stderr);
    for words in [
        "was adopted on 2",
        "2  speakers agree, on the basis given, for 4 mapped callers",
        "1 of 5 mapped callers has no consent, because their samples cannot be read",
        "1 sample is missing: missing.wav",
    ] {
        assert!(real.stdout.contains(words), "{words}: {}", real.stdout);
    }
    let texts = "select count(*) from consent_log
        where pii::json ->> 'text' = $1 and record::json ->> 'evidence' = 'imported'";
    assert_eq!(client.query_one(texts, &[&BASIS]).await.unwrap().get::<_, i64>(0), 2);
    let verified = Run::of(&["verify"]).env("DATABASE_URL", &url).end().await;
    assert_eq!(verified.code, Some(0), "{}", verified.stdout);
    // Nobody is left whose sample can be read.
    let more = migrate(&url, &folder, &basis).await;
    assert!(more.stdout.contains("        0  speakers agree"), "{}", more.stdout);
}

#[actix::test]
async fn what_is_no_database_of_the_service_before_is_not_adopted() {
    let folder = samples();
    let empty = empty_database("adoption_of_nothing").await;
    let ended = migrate(&empty, &folder, &[]).await;
    assert_eq!(ended.code, Some(2), "{}", ended.stdout);
    assert!(ended.stderr.contains("correct DATABASE_URL"), "{}", ended.stderr);
    assert_eq!(contents(&connect_to(&empty).await).await, [""; 0]);
    let own = database();
    let ended = migrate(own.url(), &folder, &[]).await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(
        ended.stdout.contains("a database of precall, with no tables of another service"),
        "{}",
        ended.stdout
    );
    let ended = migrate(own.url(), &folder, &["--consent-basis", BASIS]).await;
    assert_eq!(ended.code, Some(2), "{}", ended.stdout);
    for wrong in [
        &["migrate", "--dry-run"][..],
        &["migrate", "--consent-basis", "x"],
        &["migrate", "--adopt", "--consent-basis", ""],
    ] {
        assert_eq!(Run::of(wrong).env("DATABASE_URL", &empty).end().await.code, Some(2), "{wrong:?}");
    }
}
