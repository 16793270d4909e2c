//! `precall callers`: an import is done completely or not at all, and an export contains what was imported.

use std::path::Path;

use crate::program::{Ended, Run};
use crate::support::{connect_to, database, empty_database};

const HEAD: &str = "caller_id,voice_sample_url,voice_name,description,voice_policy\n";

async fn callers(database: &str, arguments: &[&str]) -> Ended {
    let run = Run::of(&[]).env("DATABASE_URL", database).env("DEFAULT_REGION", "US");
    let arguments: Vec<&str> = ["callers"].into_iter().chain(arguments.iter().copied()).collect();
    run.arguments(&arguments).end().await
}

async fn import(database: &str, file: &Path, text: &str) -> Ended {
    std::fs::write(file, text).unwrap();
    callers(database, &["import", file.to_str().unwrap()]).await
}

#[actix::test]
async fn exported_callers_equal_the_imported_ones() {
    let (database, folder) = (database(), tempfile::tempdir().unwrap());
    let (sheet, out) = (folder.path().join("in.csv"), folder.path().join("out.csv"));
    let text = format!("{HEAD}(202) 555-0123,a.wav,Anna,=1+1,proof\n+12025550124,uploads/b.wav,Bob,,\n");
    let done = import(database.url(), &sheet, &text).await;
    assert_eq!(
        (done.code, done.stdout.as_str()),
        (Some(0), "2 added, 0 changed, 0 unchanged\n"),
        "{}",
        done.stderr
    );
    assert_eq!(done.stderr, "", "a progress bar without a terminal");
    let client = connect_to(database.url()).await;
    let row = "select voice_name, description, voice_policy from caller_voice_mapping where caller_id = '+12025550123'";
    let row = client.query_one(row, &[]).await.unwrap();
    let cells = [row.get::<_, String>(0), row.get(1), row.get(2)];
    assert_eq!(cells, ["Anna", "=1+1", "proof"]);
    let audit =
        "select detail ->> 'added' from audit_log where action = 'callers_imported' and who = 'command line'";
    assert_eq!(client.query_one(audit, &[]).await.unwrap().get::<_, String>(0), "2");

    let exported = callers(database.url(), &["export", out.to_str().unwrap()]).await;
    assert_eq!(exported.code, Some(0), "{}", exported.stderr);
    let written = std::fs::read_to_string(&out).unwrap();
    assert!(written.contains("'+12025550123,a.wav,Anna,'=1+1,,proof"), "{written}");
    let again = callers(database.url(), &["export", out.to_str().unwrap()]).await;
    assert_eq!(again.code, Some(1));
    assert!(again.stderr.contains("--force"), "{}", again.stderr);
    let piped = callers(database.url(), &["export"]).await;
    assert_eq!(piped.stdout, written);
    let back = callers(database.url(), &["import", out.to_str().unwrap()]).await;
    assert_eq!(back.stdout, "0 added, 0 changed, 2 unchanged\n");
    let changed = import(
        database.url(),
        &sheet,
        "voice_name;caller_id;voice_sample_url\r\nAnne;+12025550123;a.wav\r\n",
    )
    .await;
    assert_eq!(changed.stdout, "0 added, 1 changed, 0 unchanged\n", "{}", changed.stderr);
    let kept = "select description from caller_voice_mapping where caller_id = '+12025550123'";
    let kept: String = client.query_one(kept, &[]).await.unwrap().get(0);
    assert_eq!(kept, "=1+1", "a column that is not in the file keeps its value");
}

#[actix::test]
async fn an_import_with_one_wrong_row_writes_nothing() {
    let (database, folder) = (database(), tempfile::tempdir().unwrap());
    let sheet = folder.path().join("in.csv");
    let nobody = "0199c0de-0000-7000-8000-000000000001";
    let client = connect_to(database.url()).await;
    for (text, said) in [
        (format!("{HEAD}+12025550123,a.wav,A,,\nsomebody,b.wav,B,,\n"), "line 3, caller_id"),
        (format!("{HEAD}+12025550123,a.wav,A,,often\n"), "line 2, voice_policy"),
        (
            format!("caller_id,voice_sample_url,voice_name,speaker\n+12025550123,a.wav,A,{nobody}\n"),
            "no speaker has this id",
        ),
        ("caller,voice_sample_url,voice_name\n".to_owned(), "`caller` is not a column"),
    ] {
        let done = import(database.url(), &sheet, &text).await;
        assert_eq!((done.code, done.stdout.as_str()), (Some(1), ""), "{text}");
        assert!(done.stderr.contains(said) && done.stderr.contains("nothing was written"), "{}", done.stderr);
        let rows = client.query_one("select count(*) from caller_voice_mapping", &[]).await.unwrap();
        assert_eq!(rows.get::<_, i64>(0), 0, "{text}");
    }
    let old = empty_database("callers_without_tables").await;
    let done = import(&old, &sheet, &format!("{HEAD}+12025550123,a.wav,A,,\n")).await;
    assert_eq!(done.code, Some(1));
    assert!(done.stderr.contains("precall migrate"), "{}", done.stderr);
}

#[actix::test]
async fn a_failed_export_leaves_the_old_file() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out.csv");
    std::fs::write(&out, "of yesterday").unwrap();
    let old = empty_database("callers_export_without_tables").await;
    let done = callers(&old, &["export", out.to_str().unwrap(), "--force"]).await;
    assert_eq!((done.code, done.stdout.as_str()), (Some(1), ""));
    assert!(done.stderr.contains("precall migrate"), "{}", done.stderr);
    assert_eq!(std::fs::read_to_string(&out).unwrap(), "of yesterday");
    let new = folder.path().join("new.csv");
    assert_eq!(callers(&old, &["export", new.to_str().unwrap()]).await.code, Some(1));
    assert!(!new.exists(), "an incomplete file");

    let database = database();
    let done = callers(database.url(), &["export", out.to_str().unwrap(), "--force"]).await;
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    assert!(std::fs::read_to_string(&out).unwrap().starts_with("caller_id,"));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "a temporary file is left");
    // A pipe is written to, not replaced.
    let pipe = folder.path().join("pipe");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let reader = std::thread::spawn({
        let pipe = pipe.clone();
        move || std::fs::read_to_string(pipe).unwrap()
    });
    let done = callers(database.url(), &["export", pipe.to_str().unwrap(), "--force"]).await;
    assert_eq!((done.code, done.stdout.as_str()), (Some(0), ""), "{}", done.stderr);
    assert!(reader.join().unwrap().starts_with("caller_id,"));
    assert!(!pipe.is_file());
}

#[actix::test]
async fn an_import_reads_the_csv_dialects_of_spreadsheets() {
    let (database, folder) = (database(), tempfile::tempdir().unwrap());
    let sheet = folder.path().join("in.csv");
    let text = "\u{feff}caller_id;voice_sample_url;voice_name;description\r\n\
        '+12025550123;a.wav;\"Anna; the first\";'=1+1\r\n";
    let done = import(database.url(), &sheet, text).await;
    assert_eq!(done.stdout, "1 added, 0 changed, 0 unchanged\n", "{}", done.stderr);
    let client = connect_to(database.url()).await;
    let row = client
        .query_one("select caller_id, voice_name, description from caller_voice_mapping", &[])
        .await
        .unwrap();
    let cells = [row.get::<_, String>(0), row.get(1), row.get(2)];
    assert_eq!(cells, ["+12025550123", "Anna; the first", "=1+1"]);

    let large = folder.path().join("large.csv");
    std::fs::File::create(&large).unwrap().set_len((100 << 20) + 1).unwrap();
    let done = callers(database.url(), &["import", large.to_str().unwrap()]).await;
    assert_eq!(done.code, Some(1));
    assert!(done.stderr.contains("larger than 100 MiB"), "{}", done.stderr);

    let twice = format!("{HEAD}+12025550124,a.wav,A,,\n2025550124,b.wav,B,,\n");
    let done = import(database.url(), &sheet, &twice).await;
    assert_eq!((done.code, done.stdout.as_str()), (Some(1), ""));
    assert!(done.stderr.contains("line 3, caller_id") && done.stderr.contains("line 2"), "{}", done.stderr);
    assert!(!done.stderr.contains("2025550124"), "{}", done.stderr);
    let rows = client.query_one("select count(*) from caller_voice_mapping", &[]).await.unwrap();
    assert_eq!(rows.get::<_, i64>(0), 1);
}
