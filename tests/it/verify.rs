//! `precall verify` reports nothing for a sound database, and each kind of damage by its rule.

use precall_store::verify::verify;
use uuid::Uuid;

use crate::support::{World, connect_to, ended};

/// A world with one finished and one live call, both with a cloned voice.
async fn world() -> (World, Uuid, Uuid) {
    let world = World::new().await;
    let over = world.ring("1", &world.known_caller(1).await).await;
    world.completed(over).await;
    let live = world.ring("2", &world.known_caller(2).await).await;
    world.in_state(live, "conversing").await;
    world.until("no event is queued", || async { world.app.engine().health().queued_events == 0 }).await;
    (world, over, live)
}

/// The rules that a database breaks, with their owners.
async fn broken(url: &str) -> Vec<(&'static str, String)> {
    let verified = verify(&mut connect_to(url).await).await.unwrap();
    verified.breaches.into_iter().map(|breach| (breach.rule, breach.owner)).collect()
}

#[actix::test]
async fn verify_finds_nothing_in_a_database_in_use() {
    let (world, ..) = world().await;
    let verified = verify(&mut connect_to(&world.url).await).await.unwrap();
    assert_eq!((verified.offered, verified.released + verified.live, verified.jobs), (2, 2, 2));
    assert!(verified.events > 10, "{verified:?}");
    world.post_3cx(&ended("2")).await;
    world.stop().await;
}

#[actix::test]
async fn verify_finds_each_kind_of_damage_by_its_rule() {
    let (world, over, _) = world().await;
    // Nothing repairs the database meanwhile.
    world.app.stop_now().await;
    let breaks = [
        ("every call log is without gaps", "delete from call_events where call = $1 and seq = 2"),
        ("every call row matches its log", "update call_log set cause = 'busy' where id = $1"),
        ("every row includes the last event", "update call_log set last_seq = last_seq - 1 where id = $1"),
        ("every call has a row and every row has a log", "delete from call_log where id = $1"),
        ("every outcome row matches the log", "delete from clone_ready_events where call = $1"),
        (
            "every conversation row matches the log",
            "delete from conversations where call = $1 and purpose = 'agent'",
        ),
        (
            "every log can be replayed",
            "update call_events set event = '{\"v\":1,\"kind\":\"leg_ringing\"}' where call = $1 and seq = 3",
        ),
        (
            "every event can be decoded",
            "update call_events set event = '{\"v\":1,\"kind\":\"sung\"}' where call = $1 and seq = 3",
        ),
        ("exactly the live calls have a live row", "update call_log set state = 'holding' where id = $1"),
        (
            "nothing is in quarantine",
            "insert into quarantined_events (stream, owner, seq, content, reason) values ('call', $1, 9, '{}', 'test')",
        ),
    ];
    for (rule, statement) in breaks {
        let transaction = connect_to(&world.url).await;
        // Damage, verify, restore: each case alone.
        let tables = ["call_events", "call_log", "clone_ready_events", "conversations", "quarantined_events"];
        for table in tables {
            transaction.batch_execute(&format!("create table kept_{table} as table {table}")).await.unwrap();
        }
        assert!(transaction.execute(statement, &[&over]).await.unwrap() > 0, "{statement}");
        let found = broken(&world.url).await;
        assert!(found.contains(&(rule, over.to_string())), "{rule}: {found:?}");
        for table in tables {
            let back = format!(
                "delete from {table}; insert into {table} table kept_{table}; drop table kept_{table}"
            );
            transaction.batch_execute(&back).await.unwrap();
        }
    }
    assert_eq!(broken(&world.url).await, []);
    world.simulator.stop().await;
}

#[actix::test]
async fn verify_finds_each_change_of_the_consent_log() {
    let world = World::new().await;
    for n in 1..=3 {
        let number = world.mapped_caller(n).await;
        let speaker = world.consent(&number, &world.sample(n)).await;
        if n == 2 {
            world.withdraw_unseen(speaker).await;
        }
    }
    let client = connect_to(&world.url).await;
    let change = "update consent_log set record = replace(record, 'recorded', 'imported') where number = 2";
    let refused = client.batch_execute(change).await.unwrap_err();
    assert!(refused.as_db_error().unwrap().message().contains("never changed"), "{refused}");
    let verified = verify(&mut connect_to(&world.url).await).await.unwrap();
    assert_eq!((verified.consents, verified.breaches), (4, Vec::new()));
    let breaks = [
        ("no consent record was changed", "2", change),
        ("no consent record is missing", "3", "delete from consent_log where number = 2"),
        (
            "no consent record was changed",
            "1",
            "update consent_log set pii = replace(pii, 'Test', 'Somebody else') where number = 1",
        ),
        ("every consent record can be decoded", "4", "update consent_log set record = '{}' where number = 4"),
        ("every consent row matches the log", "", "delete from consents where given = 4"),
    ];
    for (rule, owner, statement) in breaks {
        // The owner of the tables can disable the trigger, but the hash chain still shows the change.
        let break_it = format!(
            "create table kept_log as table consent_log; create table kept as table consents;
             set session_replication_role = replica; {statement}; set session_replication_role = origin"
        );
        client.batch_execute(&break_it).await.unwrap();
        let found = broken(&world.url).await;
        assert!(found.contains(&(rule, owner.to_owned())), "{rule}: {found:?}");
        client
            .batch_execute(
                "set session_replication_role = replica;
                 delete from consents; delete from consent_log; insert into consent_log table kept_log;
                 insert into consents table kept; drop table kept_log; drop table kept;
                 set session_replication_role = origin",
            )
            .await
            .unwrap();
    }
    let erase = "update consent_log set pii = null";
    assert_eq!(client.execute(erase, &[]).await.unwrap(), 4);
    assert_eq!(broken(&world.url).await, [], "an erasure breaks no rule");
    world.stop().await;
}
