//! A withdrawn consent: no new call uses the voice, bridged calls change to another voice, and the voice is deleted.

use std::collections::BTreeSet;

use precall_simulators::elevenlabs::{Act, Agent, Script, Step};
use serde_json::Value;
use uuid::Uuid;

use crate::live_bridge::{dialogue, hears, listens, say};
use crate::support::{PbxPlan, PbxWorld, Plan, World, allowing_agent, until};

const FALLBACK: &str = "voice_fallback";

fn voices(world: &World) -> BTreeSet<String> {
    let voices = world.simulator.voices();
    voices.as_array().unwrap().iter().map(|voice| voice["voice_id"].as_str().unwrap().to_owned()).collect()
}

/// Does what the API does: ends the consents, then revokes the voices.
async fn withdraw(world: &World, speaker: Uuid, caller: &str) {
    world.withdraw_unseen(speaker).await;
    world.app.engine().revoke_voices(vec![caller.to_owned()]);
}

#[actix::test]
async fn a_bridged_call_in_a_withdrawn_voice_continues_in_the_fallback_voice() {
    let script =
        vec![say(400), listens(), hears("I call about my order."), Step::Act(Act::Stall { ms: 60_000 })];
    let world = PbxWorld::with(PbxPlan::default().bridge(script).env("AGENT_STALL_SECONDS", "15")).await;
    let caller = world.mapped_caller(1).await;
    let speaker = world.consent(&caller, &world.sample(1)).await;
    let pbx_id = world.rings(&caller);
    let call = world.call_of(&pbx_id).await;
    world.talk(call, 1).await;
    let line = "select 1 from call_events where call = $1 and event ->> 'kind' = 'line_spoken'
        and event ->> 'by' = 'caller'";
    world.until_row("the caller was heard", line, &[&call]).await;
    world.simulator.set_agent(Agent { script: Script::new(dialogue()).unwrap(), ..allowing_agent() });
    withdraw(&world, speaker, &caller).await;
    let row = world.completed(call).await;
    let talks = world.talks(call);
    assert_eq!(talks.len(), 2, "{talks:#?}");
    assert_ne!(talks[0].voice_id.as_deref(), Some(FALLBACK));
    assert_eq!(talks[1].voice_id.as_deref(), Some(FALLBACK));
    assert!(talks[1].contextual_updates[0].contains("I call about my order."));
    assert_eq!(row.get::<_, Option<String>>("voice_missing").as_deref(), Some("no_consent"));
    until("the voice is gone from the provider", || async { voices(&world).is_empty() }).await;
    let deleted = "select event ->> 'why' from voice_events where event ->> 'kind' = 'voice_deleted'";
    world.until_row("the database says so", deleted, &[]).await;
    world.stop().await;
}

#[actix::test]
async fn a_withdrawal_made_directly_in_the_database_is_noticed() {
    let world = World::new().await;
    let caller = world.mapped_caller(1).await;
    let speaker = world.consent(&caller, &world.sample(1)).await;
    let call = world.ring("pbx-1", &caller).await;
    world.completed(call).await;
    assert_eq!(voices(&world).len(), 1);
    world.withdraw_unseen(speaker).await;
    until("the voice is gone from the provider", || async { voices(&world).is_empty() }).await;
    world.stop().await;
}

#[actix::test]
async fn a_withdrawal_stops_a_pending_upload_and_deletes_an_uploaded_voice() {
    let world = World::with(Plan::default().clone_delay_ms("1500").env("CLONE_CONCURRENCY", "1")).await;
    let mut withdrawn = Vec::new();
    for n in 1..=2 {
        let caller = world.mapped_caller(n).await;
        let speaker = world.consent(&caller, &world.sample(n)).await;
        let call = world.ring(&format!("pbx-{n}"), &caller).await;
        if n == 1 {
            until("the sample is being uploaded", || async { world.uploads() == 1 }).await;
        }
        withdrawn.push((speaker, caller, call));
    }
    for (speaker, caller, _) in &withdrawn {
        withdraw(&world, *speaker, caller).await;
    }
    for (_, _, call) in &withdrawn {
        let row = world.completed(*call).await;
        assert_eq!(row.get::<_, Option<String>>("voice_missing").as_deref(), Some("no_consent"));
    }
    let ended = "select 1 from voice_events where event ->> 'kind' = 'voice_deleted'";
    world.until_row("the uploaded voice is deleted", ended, &[]).await;
    assert_eq!((world.uploads(), voices(&world).len()), (1, 0));
    world.stop().await;
}

#[actix::test]
async fn a_replaced_sample_needs_its_own_consent() {
    let world = World::new().await;
    let caller = world.mapped_caller(1).await;
    let speaker = world.consent(&caller, &world.sample(1)).await;
    let agreed = world.ring("pbx-1", &caller).await;
    let consent = "select event -> 'consent' from voice_events where event ->> 'kind' = 'clone_requested'";
    world.completed(agreed).await;
    let number: Value = world.client.query_one(consent, &[]).await.unwrap().get(0);
    assert_eq!(number, 1, "the consent that the voice is based on");
    crate::support::write_sample(&world.sample(1), 77);
    world.execute("update voice_clone_cache set ttl_expires_at = now() where true", &[]).await;
    let path = format!("/api/v1/cache/{}", caller.replace('+', "%2B"));
    let forget = world.http.delete(format!("{}{path}", world.app.url())).bearer_auth(crate::support::KEY);
    assert_eq!(forget.send().await.unwrap().status().as_u16(), 200);
    let replaced = world.ring("pbx-2", &caller).await;
    let row = world.completed(replaced).await;
    assert_eq!(row.get::<_, Option<String>>("voice_missing").as_deref(), Some("no_consent"));
    world.withdraw_unseen(speaker).await;
    world.consent(&caller, &world.sample(1)).await;
    let again = world.ring("pbx-3", &caller).await;
    assert!(world.completed(again).await.get::<_, Option<String>>("cloned_voice_id").is_some());
    world.stop().await;
}
