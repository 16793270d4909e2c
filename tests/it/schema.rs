//! The schema, and every statement that is written for it.

use precall_actors::store;

use crate::support::{connect_to, database};

#[actix::test]
async fn every_statement_is_prepared_against_the_migrated_schema() {
    let database = database();
    let client = connect_to(database.url()).await;
    let statements = [
        store::audit::STATEMENTS,
        store::budget_use::STATEMENTS,
        store::call_context::STATEMENTS,
        store::caller_import::STATEMENTS,
        store::caller_samples::STATEMENTS,
        store::callers::STATEMENTS,
        store::consents::STATEMENTS,
        store::deletions::STATEMENTS,
        store::due_conversations::STATEMENTS,
        store::engine_generation::STATEMENTS,
        store::engine_lock::STATEMENTS,
        store::erasure::STATEMENTS,
        store::event_log::STATEMENTS,
        store::lines::STATEMENTS,
        store::pins::STATEMENTS,
        store::read_calls::STATEMENTS,
        store::read_voices::STATEMENTS,
        store::recent_calls::STATEMENTS,
        store::speakers::STATEMENTS,
        store::spoken_lines::STATEMENTS,
        store::unmatched_reports::STATEMENTS,
        store::verify::STATEMENTS,
        store::voices::STATEMENTS,
        store::partitions::STATEMENTS,
        store::retention::STATEMENTS,
        store::webhooks::STATEMENTS,
        store::write::STATEMENTS,
    ]
    .concat();
    assert!(statements.len() > 30);
    for statement in statements {
        let prepared = client.prepare(statement).await;
        assert!(prepared.is_ok(), "{statement}\n{:?}", prepared.err());
    }
}

#[actix::test]
async fn an_old_insert_that_names_three_columns_still_succeeds() {
    let database = database();
    let client = connect_to(database.url()).await;
    let inserted = client
        .execute(
            "insert into caller_voice_mapping (caller_id, voice_sample_url, voice_name) values ('+1', 'a.wav', 'A')",
            &[],
        )
        .await;
    assert_eq!(inserted.unwrap(), 1);
}
