//! Tests of taps: who listens hears both directions as they were, and nobody before the notice was heard.

use std::collections::VecDeque;
use std::thread;
use std::time::Instant;

use super::pbx::DEADLINE;
use super::*;
use crate::leg_events::LegAudioEvent;
use crate::playlist::Mark;
use crate::tap::{TapChannel, TapEnd, TapFrame, TapReader, tap};

/// Listens until `is_enough`.
fn listens(reader: &mut TapReader, is_enough: impl Fn(&VecDeque<TapFrame>) -> bool) -> VecDeque<TapFrame> {
    let (mut frames, until) = (VecDeque::new(), Instant::now() + DEADLINE);
    while !is_enough(&frames) {
        assert!(Instant::now() < until, "not heard in time: {} frames", frames.len());
        reader.take(&mut frames);
        thread::sleep(MS);
    }
    frames
}

fn joined(frames: &VecDeque<TapFrame>, channel: TapChannel) -> Vec<u8> {
    frames.iter().filter(|frame| frame.channel == channel).flat_map(|frame| frame.pcm.to_vec()).collect()
}

fn contains(whole: &[u8], part: &[u8]) -> bool {
    whole.windows(part.len()).any(|window| window == part)
}

#[test]
fn nobody_listens_before_the_notice_was_heard() {
    let (world, owner) = (World::new(), Owner::new());
    let playlist = Playlist::default().then_marked(PlaylistItem::Once(speech(700 * MS)), Mark(1));
    let playlist = playlist.private_until(Mark(1)).then(PlaylistItem::Loop(speech(100 * MS)));
    let audio = world.open(&owner, playlist);
    owner.wait_for(&LegAudioEvent::FirstSound);
    let hears_nothing = || {
        let (writer, mut reader, _) = tap();
        audio.listen(writer);
        let until = Instant::now() + DEADLINE;
        while !reader.is_closed() && Instant::now() < until {
            thread::sleep(MS);
        }
        let mut frames = TapReader::queue();
        reader.take(&mut frames);
        assert_eq!((reader.ended(), frames.len()), (Some(TapEnd::NoticeNotHeard), 0));
    };
    hears_nothing();
    // Another playlist does not make the notice heard.
    audio.play(Playlist::default().then_marked(PlaylistItem::Once(speech(50 * MS)), Mark(2)));
    owner.wait_for(&LegAudioEvent::Heard(Mark(2)));
    hears_nothing();
    audio.play(Playlist::default().then_marked(PlaylistItem::Once(speech(50 * MS)), Mark(1)));
    owner.wait_for(&LegAudioEvent::Heard(Mark(1)));
    let (writer, mut reader, _) = tap();
    audio.listen(writer);
    let _ = listens(&mut reader, |frames| frames.len() > 5);
    assert_eq!((reader.ended(), reader.dropped()), (None, 0));
}

#[test]
fn who_listens_hears_both_directions_as_they_were() {
    let (world, owner) = (World::new(), Owner::new());
    let said = speech(200 * MS);
    let audio = world.open(&owner, Playlist::default());
    owner.wait_for(&LegAudioEvent::FirstFrame);
    let (writer, mut reader, _) = tap();
    audio.listen(writer);
    let _ = listens(&mut reader, |frames| !frames.is_empty());
    // The chunks end within samples, as those of a PBX may.
    let caller = Clip::from_samples(&[-7_000; 800]);
    world.pbx.change(|state| state.caller = caller.pcm().chunks(321).map(<[u8]>::to_vec).collect());
    audio.play(once(&said));
    let frames = listens(&mut reader, |frames| {
        contains(&joined(frames, TapChannel::ToCaller), said.pcm())
            && joined(frames, TapChannel::Caller).len() >= caller.pcm().len()
    });
    assert_eq!(joined(&frames, TapChannel::Caller), *caller.pcm());
    let heard = world.pbx.audio(0);
    assert!(contains(&heard, &joined(&frames, TapChannel::ToCaller)), "not what the PBX was sent");
    for channel in TapChannel::ALL {
        let places: Vec<u32> =
            frames.iter().filter(|frame| frame.channel == channel).map(|frame| frame.position).collect();
        assert!(places.is_sorted(), "{places:?}");
    }
    drop(audio);
    let _ = owner.closed();
    let mut rest = TapReader::queue();
    reader.take(&mut rest);
    assert_eq!((reader.is_closed(), reader.ended(), reader.dropped()), (true, None, 0));
}

#[test]
fn a_listener_that_does_not_read_costs_the_leg_nothing() {
    let (world, owner) = (World::new(), Owner::new());
    let audio = world.open(&owner, Playlist::default().then(PlaylistItem::Loop(speech(100 * MS))));
    owner.wait_for(&LegAudioEvent::FirstFrame);
    let taps: Vec<_> = (0..4).map(|_| tap()).collect();
    let mut readers = Vec::new();
    for (writer, reader, _) in taps {
        audio.listen(writer);
        readers.push(reader);
    }
    // More than fits into a tap.
    let _ = world.pbx.audio(100_000);
    let mut frames = TapReader::queue();
    readers[0].take(&mut frames);
    assert!(readers[0].dropped() > 0 && frames.len() <= 200, "{} dropped", readers[0].dropped());
    drop(audio);
    // A busy machine adds short gaps.
    assert!(owner.closed().longest_gap < Duration::from_secs(1));
}
