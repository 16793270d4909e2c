//! Broken set-ups on this side: database, callers, samples, paths.

use super::*;
use crate::support::collector::{CollectorAnswer, TestCollector};
use crate::support::empty_database;

#[actix::test]
async fn a_broken_database_is_named() {
    let environments = [
        (
            "postgres://nobody@127.0.0.1:9/precall",
            wrong("no database", "database", "PostgreSQL is not running there"),
        ),
        (
            "postgres://somebody:not-the-password@127.0.0.1:9/precall",
            wrong("no server", "database", "DATABASE_URL names another port"),
        ),
    ];
    for (url, case) in environments {
        let mut setup = Setup::sound().await;
        setup.set("DATABASE_URL", url);
        holds(setup, case).await;
    }
    let mut setup = Setup::sound().await;
    let url = setup.database.url().replace("postgres://", "postgres://nobody_of_that_name@");
    let after = url.rsplit_once('@').map(|(_, after)| after.to_owned()).unwrap();
    setup.set("DATABASE_URL", &format!("postgres://nobody_of_that_name:wrong@{after}"));
    holds(setup, wrong("a wrong user or password", "database", "nobody_of_that_name")).await;
    let mut setup = Setup::sound().await;
    let empty = empty_database("check_of_an_empty_one").await;
    setup.set("DATABASE_URL", &empty);
    let empty =
        Case { what: "an empty database", subject: "database", level: Level::Ok, says: "precall migrate" };
    holds(setup, empty).await;
    let mut setup = Setup::sound().await;
    let foreign = empty_database("check_of_a_foreign_one").await;
    let theirs = connect_to(&foreign).await;
    theirs.batch_execute("create table caller_voice_mapping (id int, number text)").await.unwrap();
    setup.set("DATABASE_URL", &foreign);
    holds(setup, wrong("tables of another program", "database", "needs these names")).await;
}

#[actix::test]
async fn callers_who_will_not_hear_their_voice_are_counted() {
    let setup = Setup::sound().await;
    setup.execute("update consents set ended_at = now()", &[]).await;
    holds(setup, wrong("no consent", "callers", "1 of 1 mapped callers have no consent")).await;

    let setup = Setup::sound().await;
    setup.map(2, false).await;
    holds(setup, warned("one without consent", "callers", "1 of 2 mapped callers have no consent")).await;

    let setup = Setup::sound().await;
    setup.execute("update caller_voice_mapping set voice_policy = 'never'", &[]).await;
    holds(setup, warned("nobody may", "callers", "voice policy `never`")).await;

    let setup = Setup::sound().await;
    setup.execute("update caller_voice_mapping set deleted_at = now()", &[]).await;
    holds(setup, warned("nobody is mapped", "callers", "no caller is mapped")).await;

    let setup = Setup::sound().await;
    write_sample(&setup.sample(1), 7);
    holds(setup, wrong("another sample", "voice samples", "a consent for another sample")).await;

    let setup = Setup::sound().await;
    std::fs::remove_file(setup.sample(1)).unwrap();
    holds(setup, wrong("a missing sample", "voice samples", "1 sample is missing: 1.wav")).await;

    let setup = Setup::sound().await;
    for n in 2..7 {
        setup.map(n, true).await;
        std::fs::remove_file(setup.sample(n)).unwrap();
    }
    holds(
        setup,
        wrong("missing samples", "voice samples", "5 samples are missing: 2.wav, 3.wav, 4.wav, ..."),
    )
    .await;

    let setup = Setup::sound().await;
    std::fs::write(setup.sample(1), "no sound").unwrap();
    holds(setup, wrong("no recording", "voice samples", "1 sample is of no use: 1.wav")).await;

    let setup = Setup::sound().await;
    std::fs::remove_file(setup.sample(1)).unwrap();
    std::fs::create_dir(setup.sample(1)).unwrap();
    holds(setup, wrong("a folder", "voice samples", "not a regular file")).await;
}

#[actix::test]
async fn paths_that_cannot_be_written_are_named() {
    let variables = [
        ("SPOOL_DIR", Level::Wrong),
        ("ERASURE_LEDGER", Level::Wrong),
        ("PROMPT_CACHE_DIR", Level::Warning),
        ("LOG_FILE", Level::Warning),
    ];
    for (variable, level) in variables {
        let mut setup = Setup::sound().await;
        // A path behind a file can be written by nobody, not even by root.
        setup.set(variable, &setup.sample(1).join("x").display().to_string());
        holds(setup, Case { what: variable, subject: "files", level, says: variable }).await;
    }
    let mut setup = Setup::sound().await;
    setup.set("LOCAL_VOICE_SAMPLES_PATH", "/nonexistent");
    holds(setup, wrong("no folder", "voice samples", "/nonexistent is not a folder")).await;
    let mut setup = Setup::sound().await;
    setup.set("GREETING_AUDIO_FILE", &setup.folder.path().join("none.wav").display().to_string());
    holds(setup, wrong("no greeting", "prompts", "GREETING_AUDIO_FILE")).await;
    let mut setup = Setup::sound().await;
    let music = format!("{}/none.mp3", setup.provider.url());
    setup.set("GREETING_MUSIC_URL", &music);
    holds(setup, wrong("no music", "prompts", "GREETING_MUSIC_URL")).await;
    let mut setup = Setup::sound().await;
    for (name, value) in [
        ("S3_BUCKET_NAME", "samples"),
        ("S3_REGION", "eu-central-1"),
        ("S3_ENDPOINT", "http://127.0.0.1:9"),
        ("AWS_ACCESS_KEY_ID", "key-id"),
        ("AWS_SECRET_ACCESS_KEY", "secret-of-s3"),
    ] {
        setup.set(name, value);
    }
    holds(setup, wrong("no bucket", "voice samples", "check S3_BUCKET_NAME")).await;
}

#[actix::test]
async fn the_trace_collector_is_asked() {
    holds(Setup::sound().await, good("no collector", "traces", "OTEL_EXPORTER_OTLP_ENDPOINT is not set"))
        .await;
    for (answer, case) in [
        (CollectorAnswer::Take, good("a collector", "traces", "the collector at 127.0.0.1 takes traces")),
        (CollectorAnswer::Busy(503), warned("a busy one", "traces", "does not take traces now")),
        (CollectorAnswer::Refuse(401), wrong("a wrong key", "traces", "check the address")),
        (CollectorAnswer::Refuse(404), wrong("a wrong path", "traces", "status 404")),
    ] {
        let collector = TestCollector::start(answer).await;
        let mut setup = Setup::sound().await;
        setup.set("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.url());
        holds(setup, case).await;
        assert_eq!(collector.requests().iter().map(|asked| asked.spans().len()).sum::<usize>(), 0);
    }
    let mut setup = Setup::sound().await;
    setup.set("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9");
    holds(setup, warned("a dead one", "traces", "calls go on without them")).await;
}
