//! Tests of opening the two requests.

use super::pbx::Plan;
use super::*;
use crate::MediaError;
use crate::leg_events::{LegAudioEvent, StreamFailure};
use crate::playlist::Mark;

#[test]
fn a_pbx_without_media_is_retried_and_the_playlist_starts_again() {
    let (world, owner) = (World::new(), Owner::new());
    world.pbx.change(|state| {
        state.post_plans.extend([Plan::Refuse(424), Plan::Refuse(404), Plan::Refuse(424)]);
        state.get_plans.extend([Plan::Refuse(404), Plan::Refuse(424)]);
    });
    let greeting = speech(400 * MS);
    let audio =
        world.open(&owner, Playlist::default().then_marked(PlaylistItem::Once(greeting.clone()), Mark(1)));
    owner.wait_for(&LegAudioEvent::Heard(Mark(1)));
    assert_eq!(world.pbx.audio(greeting.pcm().len())[..greeting.pcm().len()], *greeting.pcm());
    world.pbx.wait("third GET", |state| (state.gets.len() == 3).then_some(()));
    drop(audio);
    let stats = owner.closed();
    assert_eq!((stats.posts_opened, stats.posts_refused, stats.reopened), (1, 3, 0));
    assert_eq!(owner.count(|news| matches!(news, LegAudioEvent::Cut | LegAudioEvent::StreamsEnded)), 0);
    assert_eq!(owner.count(|news| *news == LegAudioEvent::Heard(Mark(1))), 1);
    // The connection of a refused GET is reused.
    let gets = world.pbx.change(|state| state.gets.iter().map(|get| get.connection).collect::<Vec<_>>());
    assert_eq!(gets, [gets[0]; 3]);
}

#[test]
fn a_leg_without_media_fails_ten_seconds_after_connected() {
    let (world, owner) = (World::new(), Owner::new());
    world.pbx.change(|state| state.post_plans.extend(vec![Plan::Refuse(424); 50]));
    let connected_at = precall_call::At(clock::now().0 - 9_800_000);
    let _audio = world.media.open(leg(1), connected_at, Playlist::default(), owner.reports.clone());
    let _ = owner.closed();
    owner.wait_for(&LegAudioEvent::Failed(StreamFailure::NotReady));
}

#[test]
fn a_forbidden_leg_fails_without_a_retry() {
    let (world, owner) = (World::new(), Owner::new());
    world.pbx.change(|state| state.post_plans.push_back(Plan::Refuse(403)));
    let _audio = world.open(&owner, Playlist::default());
    let stats = owner.closed();
    owner.wait_for(&LegAudioEvent::Failed(StreamFailure::Forbidden));
    assert_eq!(stats.posts_refused, 1);
}

/// Waits until a stream reports that the token was refused.
fn wait_for_refusal(desk: &mut TokenPublisher) {
    let keeper = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    keeper.block_on(async { tokio::time::timeout(pbx::DEADLINE, desk.refusal()).await }).unwrap().unwrap();
}

#[test]
fn both_streams_replace_an_expired_token() {
    let (mut world, owner) = (World::new(), Owner::new());
    world.pbx.change(|state| state.bearer = Some("two".to_owned()));
    let greeting = speech(200 * MS);
    let audio = world.open(&owner, once(&greeting));
    wait_for_refusal(&mut world.desk);
    world.desk.publish("two");
    assert_eq!(world.pbx.audio(greeting.pcm().len())[..greeting.pcm().len()], *greeting.pcm());
    world.pbx.wait("GET with the new token", |state| {
        state.gets.iter().any(|get| get.head.contains("Authorization: Bearer two\r\n")).then_some(())
    });
    drop(audio);
    assert_eq!(owner.closed().posts_opened, 1);
}

#[test]
fn a_second_refused_token_fails_the_leg() {
    let (mut world, owner) = (World::new(), Owner::new());
    world.pbx.change(|state| state.bearer = Some("never".to_owned()));
    let _audio = world.open(&owner, Playlist::default());
    wait_for_refusal(&mut world.desk);
    world.desk.publish("two");
    let _ = owner.closed();
    owner.wait_for(&LegAudioEvent::Failed(StreamFailure::Unauthorized));
}

#[test]
fn connections_are_open_before_a_leg_needs_them() {
    let (world, owner) = (World::new(), Owner::new());
    world.pbx.wait("warm connections", |state| (state.connections == 2).then_some(()));
    let _audio = world.open(&owner, Playlist::default());
    let mut used = world.pbx.wait("both requests", |state| {
        Some([state.posts.first()?.connection, state.gets.first()?.connection])
    });
    used.sort_unstable();
    assert_eq!(used, [1, 2]);
    world.pbx.wait("two new ones", |state| (state.connections == 4).then_some(()));
}

#[test]
fn open_streams_are_counted() {
    let (world, owner) = (World::new(), Owner::new());
    world.pbx.change(|state| state.caller.push(vec![0; 320]));
    let audio = world.open(&owner, Playlist::default());
    let _ = world.pbx.audio(4_000);
    world.pbx.wait("GET", |state| state.gets.first().map(drop));
    assert_eq!(world.desk.open_streams(), 2);
    drop(audio);
    let _ = owner.closed();
    let _ = world.pbx.first_post_over();
    // The guard is dropped at the end of the request, on another thread.
    let deadline = std::time::Instant::now() + pbx::DEADLINE;
    while world.desk.open_streams() > 0 {
        assert!(std::time::Instant::now() < deadline);
        std::thread::yield_now();
    }
}

#[test]
fn invalid_settings_are_refused() {
    let start = |change: &dyn Fn(&mut MediaSettings)| {
        let mut settings = MediaSettings::new("http://127.0.0.1:1/".parse().unwrap());
        change(&mut settings);
        Media::start(settings, TokenPublisher::channel().0, Logger::root(Discard, o!())).map(drop)
    };
    assert!(matches!(start(&|settings| settings.lead_max = 90 * MS), Err(MediaError::Lead)));
    assert!(matches!(start(&|settings| settings.lead_max = 501 * MS), Err(MediaError::Lead)));
    assert!(matches!(start(&|settings| settings.base = "ftp://x/".parse().unwrap()), Err(MediaError::Base)));
    let nowhere = |settings: &mut MediaSettings| {
        settings.base = "https://localhost/".parse().unwrap();
        settings.extra_ca = Some("/nowhere/ca.pem".into());
    };
    assert!(matches!(start(&nowhere), Err(MediaError::Tls(_))));
}
