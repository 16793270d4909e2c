//! Joins lose nothing and duplicate nothing, wherever a piece begins and ends.
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

fn take(player: &mut Player, bytes: usize) -> Vec<u8> {
    player.piece(bytes, &mut Vec::new()).to_vec()
}

#[test]
fn a_piece_within_one_clip_is_a_slice_of_it() {
    let greeting = clip(100, 800);
    let mut player = Player::new(Scene::default().then(Cue::Once(greeting.clone())));
    let piece = player.piece(320, &mut Vec::new());
    assert_eq!(piece.as_ptr(), greeting.pcm().as_ptr());
}

#[test]
fn a_piece_crosses_joins_without_a_gap() {
    let (notice, greeting, hold) = (clip(100, 10), clip(200, 3), clip(300, 2));
    let scene = Scene::default()
        .then(Cue::Silence(MS))
        .then_marked(Cue::Once(notice.clone()), Mark(1))
        .then_marked(Cue::Once(greeting.clone()), Mark(2))
        .then(Cue::Loop(hold.clone()));
    let mut player = Player::new(scene);
    let mut ended = Vec::new();
    let piece = player.piece(16 + 20 + 6 + 4 + 2, &mut ended);
    let whole = [&[0_u8; 16][..], notice.pcm(), greeting.pcm(), hold.pcm(), &hold.pcm()[..2]].concat();
    assert_eq!(piece, whole);
    assert_eq!(ended, [Ended { mark: Mark(1), after: 36 }, Ended { mark: Mark(2), after: 42 }]);
}

#[test]
fn after_the_end_there_is_silence_for_ever() {
    let mut player = Player::new(Scene::default().then(Cue::Once(clip(7, 1))));
    assert_eq!(take(&mut player, 6), [7, 0, 0, 0, 0, 0]);
    assert_eq!(take(&mut player, 20_000), vec![0; 20_000]);
    assert_eq!(take(&mut Player::new(Scene::default()), 321), vec![0; 320]);
}

#[test]
fn an_empty_loop_is_silence_and_an_empty_clip_is_over_at_once() {
    let mut ended = Vec::new();
    let scene = Scene::default()
        .then_marked(Cue::Once(Clip::default()), Mark(1))
        .then_marked(Cue::Silence(Duration::ZERO), Mark(2))
        .then(Cue::Loop(Clip::default()))
        .then_marked(Cue::Once(clip(9, 9)), Mark(3));
    let mut player = Player::new(scene);
    assert_eq!(player.piece(640, &mut ended), vec![0; 640]);
    assert_eq!(ended, [Ended { mark: Mark(1), after: 0 }, Ended { mark: Mark(2), after: 0 }]);
}

#[test]
fn another_scene_begins_with_the_next_piece() {
    let mut player = Player::new(Scene::default().then(Cue::Loop(clip(100, 50))));
    let before = player.place();
    assert_eq!(take(&mut player, 4), [100, 0, 101, 0]);
    player.play(Scene::default().then(Cue::Once(clip(500, 2))));
    assert_eq!(take(&mut player, 2), 500_i16.to_le_bytes());
    // What the old scene had written is not part of the new one, so all of the new one comes again.
    player.go_back(before, 2);
    assert_eq!(take(&mut player, 4), [500_i16.to_le_bytes(), 501_i16.to_le_bytes()].concat());
}

fn cue() -> impl Strategy<Value = Cue> {
    prop_oneof![
        (0_u64..20_000).prop_map(|us| Cue::Silence(Duration::from_micros(us))),
        (any::<i16>(), 0_usize..200).prop_map(|(first, samples)| Cue::Once(clip(first, samples))),
        Just(Cue::Once(Clip::default())),
    ]
}

fn scene() -> impl Strategy<Value = (Scene, Vec<u8>)> {
    (prop::collection::vec(cue(), 0..6), 0_usize..40).prop_map(|(cues, looped)| {
        let mut whole = Vec::new();
        let mut scene = Scene::default();
        for (number, cue) in cues.into_iter().enumerate() {
            match &cue {
                Cue::Silence(span) => whole.resize(whole.len() + bytes_within(*span), 0),
                Cue::Once(clip) | Cue::Loop(clip) => whole.extend_from_slice(clip.pcm()),
            }
            scene = scene.then_marked(cue, Mark(number as u32));
        }
        let hold = clip(12_345, looped);
        for _ in 0..400 {
            whole.extend_from_slice(hold.pcm());
        }
        if looped == 0 {
            whole.resize(whole.len() + 10_000, 0);
        }
        (scene.then(Cue::Loop(hold)), whole)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn joins_lose_and_duplicate_nothing((scene, whole) in scene(), sizes in prop::collection::vec(0_usize..900, 1..30)) {
        let (mut one, mut other) = (Player::new(scene.clone()), Player::new(scene));
        let mut heard = Vec::new();
        let mut marks = Vec::new();
        for size in sizes {
            let mut ended = Vec::new();
            let at = heard.len();
            let piece = one.piece(size, &mut ended);
            prop_assert_eq!(piece.len(), size - size % 2);
            heard.extend_from_slice(&piece);
            prop_assert!(ended.iter().all(|end| end.after <= piece.len()));
            marks.extend(ended.into_iter().map(|end| (end.mark, at + end.after)));
        }
        let compared = heard.len().min(whole.len());
        prop_assert_eq!(&heard[..compared], &whole[..compared]);
        // Cut into other pieces, marks stand at the same samples.
        let mut ended = Vec::new();
        let all = other.piece(heard.len(), &mut ended);
        prop_assert_eq!(all, heard);
        prop_assert_eq!(ended.into_iter().map(|end| (end.mark, end.after)).collect::<Vec<_>>(), marks);
    }

    #[test]
    fn going_back_plays_on_at_the_right_sample(
        (scene, _) in scene(),
        first in 0_usize..3_000,
        second in 1_usize..3_000,
        written in any::<prop::sample::Index>(),
    ) {
        let mut player = Player::new(scene.clone());
        let heard = take(&mut player, first);
        let place = player.place();
        let _lost = take(&mut player, second);
        let written = written.index(second) / 2 * 2;
        player.go_back(place, written);
        let on = take(&mut player, second);
        let mut whole = take(&mut Player::new(scene), heard.len() + written + on.len());
        prop_assert_eq!(on, whole.split_off(heard.len() + written));
    }
}
