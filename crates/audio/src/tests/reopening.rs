//! Tests of reopening: a stream that breaks continues where it stopped.

use super::pbx::Plan;
use super::*;
use crate::leg_events::{LegAudioEvent, StreamFailure};
use crate::playlist::Mark;

#[test]
fn the_greeting_is_complete_after_two_cuts_and_an_early_answer() {
    let (world, owner) = (World::new(), Owner::new());
    world.pbx.change(|state| {
        state.post_plans.extend([
            Plan::CutAfter(3_000),
            Plan::AnswerAfter(2_000, 200),
            Plan::CutAfter(5_000),
        ]);
    });
    let greeting = speech(1_500 * MS);
    let playlist = Playlist::default()
        .then_marked(PlaylistItem::Once(greeting.clone()), Mark(1))
        .then_marked(PlaylistItem::Silence(600 * MS), Mark(2));
    let audio = world.open(&owner, playlist);
    owner.wait_for(&LegAudioEvent::Heard(Mark(2)));
    let heard = world.pbx.audio(greeting.pcm().len() + 9_600);
    assert_eq!(heard[..greeting.pcm().len()], *greeting.pcm());
    assert!(heard[greeting.pcm().len()..].iter().all(|byte| *byte == 0));
    drop(audio);
    let stats = owner.closed();
    assert_eq!((stats.posts_opened, stats.posts_refused), (4, 0));
    assert_eq!(stats.bytes, world.pbx.audio(0).len() as u64);
    // The owner sees cuts within half a second of each other as one.
    let cuts = owner.count(|news| *news == LegAudioEvent::Cut);
    assert_eq!(owner.count(|news| matches!(news, LegAudioEvent::Reopened { .. })), cuts);
    assert_eq!(stats.reopened as usize, cuts);
    assert!((1..=3).contains(&cuts), "{cuts}");
    assert_eq!(owner.count(|news| *news == LegAudioEvent::Heard(Mark(1))), 1);
}

#[test]
fn a_leg_fails_when_its_stream_cannot_be_reopened() {
    let (world, owner) = (World::new(), Owner::new());
    world.pbx.change(|state| {
        state.post_plans.push_back(Plan::CutAfter(3_000));
        state.post_plans.extend(vec![Plan::Refuse(404); 50]);
    });
    let _audio = world.open(&owner, Playlist::default());
    let stats = owner.closed();
    owner.wait_for(&LegAudioEvent::Cut);
    owner.wait_for(&LegAudioEvent::Failed(StreamFailure::CutForGood));
    // Retries at once, after 50, 100, 200 and 400 ms, then every 500 ms; five seconds in all.
    assert!((5..=15).contains(&stats.posts_refused), "{}", stats.posts_refused);
    assert_eq!(stats.reopened, 0);
}

#[test]
fn the_end_of_the_callers_stream_is_reported_and_the_stream_reopened() {
    let (world, owner) = (World::new(), Owner::new());
    world.pbx.change(|state| {
        state.caller = vec![vec![1; 321], vec![2; 1], vec![3; 318]];
        state.caller_ends = true;
    });
    let audio = world.open(&owner, Playlist::default());
    owner.wait_for(&LegAudioEvent::StreamsEnded);
    world.pbx.wait("second GET", |state| (state.gets.len() == 2).then_some(()));
    drop(audio);
    let stats = owner.closed();
    assert_eq!(stats.caller_bytes, 640);
    assert_eq!(stats.posts_opened, 1);
}

#[test]
fn a_playlist_replaced_during_a_cut_does_not_come_back() {
    let (world, owner) = (World::new(), Owner::new());
    world.pbx.change(|state| {
        state.post_plans.push_back(Plan::CutAfter(3_000));
        state.post_plans.extend(vec![Plan::Refuse(424); 6]);
    });
    let (greeting, apology) = (speech(5_000 * MS), Clip::from_samples(&[-9_000; 800]));
    let audio = world.open(&owner, once(&greeting));
    owner.wait_for(&LegAudioEvent::Cut);
    let said = world.pbx.first_post_over().audio.len();
    audio.play(Playlist::default().then_marked(PlaylistItem::Once(apology.clone()), Mark(1)));
    owner.wait_for(&LegAudioEvent::Heard(Mark(1)));
    let heard = world.pbx.audio(said + apology.pcm().len());
    assert_eq!(heard[..said], greeting.pcm()[..said]);
    assert_eq!(heard[said..said + apology.pcm().len()], *apology.pcm());
}

#[test]
fn audio_of_the_caller_is_read_in_time_whatever_the_size_of_its_chunks() {
    let (world, owner) = (World::new(), Owner::new());
    // A second of audio: at a few chunks a tick it would take half a minute.
    world.pbx.change(|state| {
        state.caller = vec![vec![1, 0]; 8_000];
        state.caller_ends = true;
    });
    let audio = world.open(&owner, Playlist::default());
    owner.wait_for(&LegAudioEvent::StreamsEnded);
    drop(audio);
    assert_eq!(owner.closed().caller_bytes, 16_000);
}
