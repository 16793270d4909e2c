//! Tests of how the bypass is kept.
#![allow(clippy::unwrap_used, reason = "a test may stop at what it did not expect")]

use deadpool_postgres::{Manager, Runtime};
use precall_call::LineId;
use slog::{Discard, o};

use super::*;

/// A pool without a database: port 1 of this machine.
fn nowhere() -> Pool {
    let mut config = tokio_postgres::Config::new();
    config.host("127.0.0.1").port(1).user("nobody").connect_timeout(Duration::from_millis(200));
    Pool::builder(Manager::new(config, tokio_postgres::NoTls)).runtime(Runtime::Tokio1).build().unwrap()
}

fn keeper(folder: Option<&Path>) -> (Keeper, Arc<Bypass>) {
    let bypass = Arc::new(Bypass::default());
    let log = Logger::root(Discard, o!());
    let state = Arc::new(PersistenceState::leading(None));
    (Keeper::new(Arc::clone(&bypass), folder, nowhere(), state, log), bypass)
}

fn word(is_on: bool) -> BypassRow {
    let (reason, who) = ("the agent \"talks\" nonsense".to_owned(), "anna".to_owned());
    BypassRow { line: String::new(), is_on, until: Some(At(i64::MAX)), reason, who, changed_at: At(0) }
}

#[tokio::test]
async fn a_word_holds_without_the_database_and_over_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let line = LineId::new("default");
    for is_on in [true, false, true] {
        let (keeper, bypass) = keeper(Some(folder.path()));
        let said = keeper.set(word(is_on)).await.unwrap();
        assert!(said.changed_at > At(0));
        assert_eq!(bypass.covers(&line), is_on);
        let (_, after_restart) = self::keeper(Some(folder.path()));
        assert_eq!((after_restart.all(), after_restart.covers(&line)), (vec![said], is_on));
    }
}

#[tokio::test]
async fn a_word_that_nothing_keeps_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    for folder in [None, Some(folder.path().join("gone"))] {
        let (keeper, bypass) = keeper(folder.as_deref());
        assert_eq!(keeper.set(word(true)).await, Err(Busy::CannotKeep));
        assert!(bypass.all().is_empty());
    }
}

#[test]
fn a_file_that_cannot_be_read_is_no_reason_not_to_start() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(NAME), "{").unwrap();
    let (_, bypass) = keeper(Some(folder.path()));
    assert!(bypass.all().is_empty());
}
