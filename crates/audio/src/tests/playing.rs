//! Tests of playing: what the PBX receives, and what the owner is told.

use super::*;
use crate::leg_events::{LegAudioEvent, StreamFailure};
use crate::pacer::Lead;
use crate::playlist::Mark;

#[test]
fn the_pbx_receives_exactly_the_playlist_and_then_silence() {
    let (world, owner) = (World::new(), Owner::new());
    let (notice, greeting) = (speech(130 * MS), speech(250 * MS));
    let playlist = Playlist::default()
        .then(PlaylistItem::Silence(30 * MS))
        .then_marked(PlaylistItem::Once(notice.clone()), Mark(1))
        .then_marked(PlaylistItem::Once(greeting.clone()), Mark(2));
    let audio = world.open(&owner, playlist);
    owner.wait_for(&LegAudioEvent::Heard(Mark(2)));
    let mut whole = vec![0; 480];
    whole.extend_from_slice(notice.pcm());
    whole.extend_from_slice(greeting.pcm());
    whole.resize(whole.len() + 3200, 0);
    let heard = world.pbx.audio(whole.len());
    assert_eq!(heard[..whole.len()], whole);
    drop(audio);
    let stats = owner.closed();
    assert_eq!(
        owner.events()[..4],
        [
            LegAudioEvent::FirstFrame,
            LegAudioEvent::FirstSound,
            LegAudioEvent::Heard(Mark(1)),
            LegAudioEvent::Heard(Mark(2)),
        ]
    );
    let post = world.pbx.first_post_over();
    assert!(
        post.head.starts_with("POST /callcontrol/90%200/participants/7/stream HTTP/1.1\r\n"),
        "{}",
        post.head
    );
    for line in
        ["Authorization: Bearer one", "Content-Type: application/octet-stream", "Transfer-Encoding: chunked"]
    {
        assert!(post.head.contains(&format!("{line}\r\n")), "{}", post.head);
    }
    assert_eq!((stats.bytes, stats.pieces), (post.audio.len() as u64, post.chunks.len() as u64));
    assert_eq!((stats.posts_opened, stats.posts_refused, stats.reopened), (1, 0, 0));
}

#[test]
fn a_mark_is_reported_once_its_item_was_played() {
    let (world, owner) = (World::new(), Owner::new());
    let clip = speech(700 * MS);
    let _audio =
        world.open(&owner, Playlist::default().then_marked(PlaylistItem::Once(clip.clone()), Mark(5)));
    let (first, heard) = owner.wait("mark", |heard| {
        let at =
            |what: &LegAudioEvent| heard.iter().find(|report| report.what == *what).map(|report| report.at);
        Some((at(&LegAudioEvent::FirstFrame)?, at(&LegAudioEvent::Heard(Mark(5)))?))
    });
    // Two clocks measure this: allow a millisecond.
    assert!(heard.since(first) + MS >= clip.duration(), "{:?}", heard.since(first));
}

#[test]
fn the_first_piece_does_not_wait_for_a_tick() {
    let hour = Duration::from_secs(3600);
    let world = World::starting(
        |_| {},
        |settings, tokens| {
            let lead = Lead { min: 60 * MS, max: 120 * MS, tick: hour };
            Media::start_with(&settings, lead, tokens, Logger::root(Discard, o!())).unwrap()
        },
    );
    // The first tick comes with the first leg; the next one in an hour.
    for participant in 1..=3 {
        let owner = Owner::new();
        let _audio =
            world.media.open(leg(participant), clock::now(), once(&speech(500 * MS)), owner.reports.clone());
        let path = format!("/participants/{participant}/");
        let first = world.pbx.wait("first piece", |state| {
            let post = state.posts.iter().find(|post| post.head.contains(&path))?;
            post.chunks.first().copied()
        });
        assert_eq!(first, 1920);
    }
}

#[test]
fn a_new_playlist_follows_without_a_gap() {
    let (world, owner) = (World::new(), Owner::new());
    let (hold, agent) = (speech(30 * MS), Clip::from_samples(&[-7_000; 1600]));
    let audio = world.open(&owner, Playlist::default().then(PlaylistItem::Loop(hold.clone())));
    let _ = world.pbx.audio(4_000);
    audio.play(Playlist::default().then_marked(PlaylistItem::Once(agent.clone()), Mark(9)));
    owner.wait_for(&LegAudioEvent::Heard(Mark(9)));
    let heard = world.pbx.audio(0);
    let begins =
        heard.windows(2).step_by(2).position(|sample| sample == (-7_000_i16).to_le_bytes()).unwrap() * 2;
    assert!(heard[..begins].iter().zip(hold.pcm().iter().cycle()).all(|(heard, said)| heard == said));
    assert_eq!(heard[begins..begins + agent.pcm().len()], *agent.pcm());
    assert!(heard[begins + agent.pcm().len()..].iter().all(|byte| *byte == 0));
}

#[test]
fn another_owner_takes_the_streams_over_without_a_gap() {
    let (world, first, second) = (World::new(), Owner::new(), Owner::new());
    let (hold, greeting) = (speech(30 * MS), Clip::from_samples(&[-7_000; 1600]));
    let audio = world.open(&first, Playlist::default().then(PlaylistItem::Loop(hold.clone())));
    let _ = world.pbx.audio(4_000);
    let playlist = Playlist::default().then_marked(PlaylistItem::Once(greeting.clone()), Mark(9));
    assert!(audio.change_owner(second.reports.clone(), playlist));
    second.wait_for(&LegAudioEvent::Heard(Mark(9)));
    let events = [LegAudioEvent::FirstFrame, LegAudioEvent::FirstSound, LegAudioEvent::Heard(Mark(9))];
    assert_eq!(second.events()[..3], events);
    let heard = world.pbx.audio(0);
    let begins =
        heard.windows(2).step_by(2).position(|sample| sample == (-7_000_i16).to_le_bytes()).unwrap() * 2;
    assert!(heard[..begins].iter().zip(hold.pcm().iter().cycle()).all(|(heard, said)| heard == said));
    assert_eq!(heard[begins..begins + greeting.pcm().len()], *greeting.pcm());
    drop(audio);
    assert_eq!(second.closed().posts_opened, 1);
    assert_eq!(first.events(), [LegAudioEvent::FirstFrame, LegAudioEvent::FirstSound]);
}

#[test]
fn an_owner_who_comes_too_late_hears_that_the_audio_has_ended() {
    let (first, refused, second) = (Owner::new(), Owner::new(), Owner::new());
    let world = World::with(|settings| settings.legs_per_shard = 1);
    let audio = world.open(&first, Playlist::default());
    first.wait_for(&LegAudioEvent::FirstFrame);
    // No room: it has ended before it began.
    let without_room = world.open(&refused, Playlist::default());
    assert!(!without_room.change_owner(second.reports.clone(), Playlist::default()));
    audio.panic_soon();
    let _ = first.closed();
    // The leg may still be in its last tick: then the new owner is told.
    if audio.change_owner(second.reports.clone(), Playlist::default()) {
        let _ = second.closed();
    }
    first.wait_for(&LegAudioEvent::Failed(StreamFailure::Panicked));
}

#[test]
fn nothing_is_written_after_the_handle_is_dropped() {
    let (world, owner) = (World::new(), Owner::new());
    let audio = world.open(&owner, Playlist::default().then(PlaylistItem::Loop(speech(100 * MS))));
    let _ = world.pbx.audio(4_000);
    drop(audio);
    let stats = owner.closed();
    // The request ended properly, with the last counted byte.
    let post = world.pbx.first_post_over();
    assert_eq!((post.is_complete, post.audio.len() as u64), (true, stats.bytes));
    assert_eq!(world.pbx.change(|state| state.posts.len()), 1);
}

#[test]
fn a_panic_fails_one_leg_and_its_neighbour_plays_on() {
    let world = World::new();
    let (owner, neighbours_owner) = (Owner::new(), Owner::new());
    let playlist = || Playlist::default().then(PlaylistItem::Loop(speech(100 * MS)));
    let neighbour = world.media.open(leg(1), clock::now(), playlist(), neighbours_owner.reports.clone());
    let audio = world.media.open(leg(2), clock::now(), playlist(), owner.reports.clone());
    owner.wait_for(&LegAudioEvent::FirstFrame);
    neighbours_owner.wait_for(&LegAudioEvent::FirstFrame);
    audio.panic_soon();
    let _ = owner.closed();
    owner.wait_for(&LegAudioEvent::Failed(StreamFailure::Panicked));
    let heard = |state: &pbx::State| {
        state.posts.iter().find(|post| post.head.contains("/participants/1/")).unwrap().audio.len()
    };
    let before = world.pbx.change(|state| heard(state));
    world.pbx.wait("the neighbour's audio", |state| (heard(state) > before + 4_000).then_some(()));
    drop(neighbour);
    assert_eq!(neighbours_owner.closed().posts_opened, 1);
}

#[test]
fn a_full_shard_reports_no_room() {
    let world = World::with(|settings| settings.legs_per_shard = 1);
    let (owner, other) = (Owner::new(), Owner::new());
    let audio = world.open(&owner, Playlist::default());
    owner.wait_for(&LegAudioEvent::FirstFrame);
    let refused = world.open(&other, Playlist::default());
    let _ = other.closed();
    assert_eq!(other.events()[0], LegAudioEvent::Failed(StreamFailure::NoRoom));
    drop(refused);
    // A leg that ends makes room.
    drop(audio);
    let _ = owner.closed();
    let (third, _audio) = loop {
        let third = Owner::new();
        let audio = world.open(&third, Playlist::default());
        let first = third.wait("answer", |heard| heard.first().map(|report| report.what.clone()));
        if first == LegAudioEvent::FirstFrame {
            break (third, audio);
        }
    };
    assert_eq!(third.events()[0], LegAudioEvent::FirstFrame);
}

#[test]
fn dropping_the_service_ends_its_legs() {
    let World { pbx, media, desk: _desk } = World::new();
    let owner = Owner::new();
    let _audio = media.open(leg(1), clock::now(), Playlist::default(), owner.reports.clone());
    owner.wait_for(&LegAudioEvent::FirstFrame);
    drop(media);
    let _ = owner.closed();
    assert!(pbx.first_post_over().is_complete);
}
