//! The schema, and every SQL statement of precall.

use crate::support::{connect_to, database};

#[actix::test]
async fn every_statement_is_prepared_against_the_migrated_schema() {
    let database = database();
    let client = connect_to(database.url()).await;
    let statements = [
        precall_store::people::audit::STATEMENTS,
        precall_store::recovery::budget_use::STATEMENTS,
        precall_store::recovery::call_context::STATEMENTS,
        precall_store::people::caller_import::STATEMENTS,
        precall_store::people::caller_samples::STATEMENTS,
        precall_store::reads::mapped_callers::STATEMENTS,
        precall_store::reads::replica::STATEMENTS,
        precall_store::reads::server_clock::STATEMENTS,
        precall_store::people::callers::STATEMENTS,
        precall_store::people::consents::STATEMENTS,
        precall_store::people::deletions::STATEMENTS,
        precall_store::recovery::due_conversations::STATEMENTS,
        precall_store::leader::generation::STATEMENTS,
        precall_store::leader::engine_lock::STATEMENTS,
        precall_store::leader::hand_over::STATEMENTS,
        precall_store::leader::live_calls::STATEMENTS,
        precall_store::leader::lease::STATEMENTS,
        precall_store::leader::standby_seat::STATEMENTS,
        precall_store::leader::adoption::STATEMENTS,
        precall_store::events::quarantine::STATEMENTS,
        precall_store::reads::log_end::STATEMENTS,
        precall_store::reads::leader::STATEMENTS,
        precall_store::people::erasure::STATEMENTS,
        precall_store::alerts::STATEMENTS,
        precall_store::api_keys::STATEMENTS,
        precall_store::bypass::STATEMENTS,
        precall_store::canary::STATEMENTS,
        precall_store::idempotency::STATEMENTS,
        precall_store::events::event_log::STATEMENTS,
        precall_store::lines::STATEMENTS,
        precall_store::people::pins::STATEMENTS,
        precall_store::reads::caller_voices::STATEMENTS,
        precall_store::reads::calls::STATEMENTS,
        precall_store::reads::clone_steps::STATEMENTS,
        precall_store::reads::utterances::STATEMENTS,
        precall_store::reads::voices::STATEMENTS,
        precall_store::events::positions::STATEMENTS,
        precall_store::recovery::recent_calls::STATEMENTS,
        precall_store::people::speakers::STATEMENTS,
        precall_store::recovery::utterances::STATEMENTS,
        precall_store::recovery::unmatched_reports::STATEMENTS,
        precall_store::verify::STATEMENTS,
        precall_store::voices::STATEMENTS,
        precall_store::growth::partitions::STATEMENTS,
        precall_store::growth::retention::STATEMENTS,
        precall_store::reads::webhooks::STATEMENTS,
        precall_store::events::write::STATEMENTS,
        precall_store::events::refused::STATEMENTS,
        precall_store::readiness::PRIVILEGES,
        precall_store::readiness::SERVER,
        precall_store::schema::recognise::STATEMENTS,
        precall_store::schema::adopt::SHAPE,
        precall_store::people::consent_import::STATEMENTS,
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
