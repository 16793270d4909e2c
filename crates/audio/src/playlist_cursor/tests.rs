//! Tests of the playlist cursor: joins lose and duplicate nothing, wherever a piece begins and ends.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test may fail"
)]

use std::time::Duration;

use proptest::prelude::{Just, ProptestConfig, Strategy, any, prop};
use proptest::{prop_assert, prop_assert_eq, prop_oneof, proptest};

use super::*;
use crate::clip::Clip;

const MS: Duration = Duration::from_millis(1);

/// A clip whose samples are all different from those of other clips and from silence.
fn clip(first: i16, samples: usize) -> Clip {
    Clip::from_samples(
        &(0..samples).map(|n| first.wrapping_add(n.try_into().unwrap()).max(1)).collect::<Vec<_>>(),
    )
}

fn take(cursor: &mut PlaylistCursor, bytes: usize) -> Vec<u8> {
    cursor.piece(bytes, &mut Vec::new()).to_vec()
}

#[test]
fn a_piece_within_one_clip_is_a_slice_of_it() {
    let greeting = clip(100, 800);
    let mut cursor = PlaylistCursor::new(Playlist::default().then(PlaylistItem::Once(greeting.clone())));
    let piece = cursor.piece(320, &mut Vec::new());
    assert_eq!(piece.as_ptr(), greeting.pcm().as_ptr());
}

#[test]
fn a_piece_crosses_items_without_a_gap() {
    let (notice, greeting, hold) = (clip(100, 10), clip(200, 3), clip(300, 2));
    let playlist = Playlist::default()
        .then(PlaylistItem::Silence(MS))
        .then_marked(PlaylistItem::Once(notice.clone()), Mark(1))
        .then_marked(PlaylistItem::Once(greeting.clone()), Mark(2))
        .then(PlaylistItem::Loop(hold.clone()));
    let mut cursor = PlaylistCursor::new(playlist);
    let mut passed = Vec::new();
    let piece = cursor.piece(16 + 20 + 6 + 4 + 2, &mut passed);
    let whole = [&[0_u8; 16][..], notice.pcm(), greeting.pcm(), hold.pcm(), &hold.pcm()[..2]].concat();
    assert_eq!(piece, whole);
    assert_eq!(passed, [MarkPassed { mark: Mark(1), after: 36 }, MarkPassed { mark: Mark(2), after: 42 }]);
}

#[test]
fn endless_silence_follows_the_last_item() {
    let mut cursor = PlaylistCursor::new(Playlist::default().then(PlaylistItem::Once(clip(7, 1))));
    assert_eq!(take(&mut cursor, 6), [7, 0, 0, 0, 0, 0]);
    assert_eq!(take(&mut cursor, 20_000), vec![0; 20_000]);
    assert_eq!(take(&mut PlaylistCursor::new(Playlist::default()), 321), vec![0; 320]);
}

#[test]
fn an_empty_loop_is_silence_and_an_empty_clip_is_over_at_once() {
    let mut passed = Vec::new();
    let playlist = Playlist::default()
        .then_marked(PlaylistItem::Once(Clip::default()), Mark(1))
        .then_marked(PlaylistItem::Silence(Duration::ZERO), Mark(2))
        .then(PlaylistItem::Loop(Clip::default()))
        .then_marked(PlaylistItem::Once(clip(9, 9)), Mark(3));
    let mut cursor = PlaylistCursor::new(playlist);
    assert_eq!(cursor.piece(640, &mut passed), vec![0; 640]);
    assert_eq!(passed, [MarkPassed { mark: Mark(1), after: 0 }, MarkPassed { mark: Mark(2), after: 0 }]);
}

#[test]
fn a_new_playlist_starts_with_the_next_piece() {
    let mut cursor = PlaylistCursor::new(Playlist::default().then(PlaylistItem::Loop(clip(100, 50))));
    let before = cursor.position();
    assert_eq!(take(&mut cursor, 4), [100, 0, 101, 0]);
    cursor.play(Playlist::default().then(PlaylistItem::Once(clip(500, 2))));
    assert_eq!(take(&mut cursor, 2), 500_i16.to_le_bytes());
    // Bytes written of the old playlist are not part of the new one, so the new one starts again.
    cursor.go_back(before, 2);
    assert_eq!(take(&mut cursor, 4), [500_i16.to_le_bytes(), 501_i16.to_le_bytes()].concat());
}

fn item() -> impl Strategy<Value = PlaylistItem> {
    prop_oneof![
        (0_u64..20_000).prop_map(|us| PlaylistItem::Silence(Duration::from_micros(us))),
        (any::<i16>(), 0_usize..200).prop_map(|(first, samples)| PlaylistItem::Once(clip(first, samples))),
        Just(PlaylistItem::Once(Clip::default())),
    ]
}

fn playlist() -> impl Strategy<Value = (Playlist, Vec<u8>)> {
    (prop::collection::vec(item(), 0..6), 0_usize..40).prop_map(|(items, looped)| {
        let mut whole = Vec::new();
        let mut playlist = Playlist::default();
        for (number, item) in items.into_iter().enumerate() {
            match &item {
                PlaylistItem::Silence(span) => whole.resize(whole.len() + bytes_within(*span), 0),
                PlaylistItem::Once(clip) | PlaylistItem::Loop(clip) => whole.extend_from_slice(clip.pcm()),
            }
            playlist = playlist.then_marked(item, Mark(number as u32));
        }
        let hold = clip(12_345, looped);
        for _ in 0..400 {
            whole.extend_from_slice(hold.pcm());
        }
        if looped == 0 {
            whole.resize(whole.len() + 10_000, 0);
        }
        (playlist.then(PlaylistItem::Loop(hold)), whole)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn joins_lose_and_duplicate_nothing(
        (playlist, whole) in playlist(),
        sizes in prop::collection::vec(0_usize..900, 1..30),
    ) {
        let (mut one, mut other) = (PlaylistCursor::new(playlist.clone()), PlaylistCursor::new(playlist));
        let mut heard = Vec::new();
        let mut marks = Vec::new();
        for size in sizes {
            let mut passed = Vec::new();
            let at = heard.len();
            let piece = one.piece(size, &mut passed);
            prop_assert_eq!(piece.len(), size - size % 2);
            heard.extend_from_slice(&piece);
            prop_assert!(passed.iter().all(|end| end.after <= piece.len()));
            marks.extend(passed.into_iter().map(|end| (end.mark, at + end.after)));
        }
        let compared = heard.len().min(whole.len());
        prop_assert_eq!(&heard[..compared], &whole[..compared]);
        // With other piece sizes the marks are at the same samples.
        let mut passed = Vec::new();
        let all = other.piece(heard.len(), &mut passed);
        prop_assert_eq!(all, heard);
        prop_assert_eq!(passed.into_iter().map(|end| (end.mark, end.after)).collect::<Vec<_>>(), marks);
    }

    #[test]
    fn going_back_plays_on_at_the_right_sample(
        (playlist, _) in playlist(),
        first in 0_usize..3_000,
        second in 1_usize..3_000,
        written in any::<prop::sample::Index>(),
    ) {
        let mut cursor = PlaylistCursor::new(playlist.clone());
        let heard = take(&mut cursor, first);
        let position = cursor.position();
        let _lost = take(&mut cursor, second);
        let written = written.index(second) / 2 * 2;
        cursor.go_back(position, written);
        let on = take(&mut cursor, second);
        let mut whole = take(&mut PlaylistCursor::new(playlist), heard.len() + written + on.len());
        prop_assert_eq!(on, whole.split_off(heard.len() + written));
    }
}
