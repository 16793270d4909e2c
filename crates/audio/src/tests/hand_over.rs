//! Tests of a planned hand-over: streams of a leg that another process has, and of one that another process gets.

use std::collections::HashSet;

use super::*;
use crate::leg_events::LegAudioEvent;
use crate::playlist::Mark;

#[test]
fn the_streams_of_a_leg_open_when_the_other_process_lets_it_go() {
    let (world, owner) = (World::new(), Owner::new());
    let other = Owner::new();
    world.media.hand_over().set_elsewhere(HashSet::from([leg(7)]));
    let greeting = speech(200 * MS);
    let waiting =
        world.open(&owner, Playlist::default().then_marked(PlaylistItem::Once(greeting.clone()), Mark(1)));
    // A leg that nobody else has is not held up.
    let free = world.media.open(leg(8), clock::now(), Playlist::default(), other.reports.clone());
    world.pbx.wait("the streams of the free leg", |state| (state.gets.len() == 1).then_some(()));
    let _ = world.pbx.audio(4_000);
    assert_eq!(world.pbx.change(|state| (state.posts.len(), state.gets.len())), (1, 1));
    drop(free);
    let _ = other.closed();
    world.media.hand_over().set_elsewhere(HashSet::new());
    owner.wait_for(&LegAudioEvent::Heard(Mark(1)));
    world.pbx.wait("both streams", |state| (state.posts.len() == 2 && state.gets.len() == 2).then_some(()));
    let heard = world.pbx.change(|state| state.posts[1].audio.clone());
    assert_eq!(heard[..greeting.pcm().len()], *greeting.pcm(), "from its beginning");
    drop(waiting);
    let _ = owner.closed();
}

#[test]
fn a_leg_that_waits_for_another_process_can_be_closed() {
    let (world, owner) = (World::new(), Owner::new());
    world.media.hand_over().set_elsewhere(HashSet::from([leg(7)]));
    let audio = world.open(&owner, Playlist::default());
    drop(audio);
    assert_eq!(owner.closed().posts_opened, 0);
}

#[test]
fn a_process_that_leaves_opens_no_stream_again_and_says_which_legs_it_has() {
    let (world, owner) = (World::new(), Owner::new());
    world.pbx.change(|state| state.post_plans.push_back(super::pbx::Plan::CutAfter(8_000)));
    let turns = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(world.media.turns())
    };
    assert_eq!(turns(), []);
    let _audio = world.open(&owner, Playlist::default());
    owner.wait_for(&LegAudioEvent::FirstFrame);
    let said = turns();
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].address == leg(7) && said[0].is_open && !said[0].is_in_turn, "{said:?}");
    world.media.hand_over().leave();
    // The successor's stream takes its place at the PBX.
    let stats = owner.closed();
    assert_eq!(stats.posts_opened, 1);
    assert_eq!(world.pbx.change(|state| state.posts.len()), 1);
    assert_eq!(turns(), []);
}
