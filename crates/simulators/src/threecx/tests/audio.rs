//! Streams, both ways.

use std::time::Duration;

use serde_json::{Value, json};

use super::super::{EndedBy, Mode, NewCall, Options, SecondPost, Speaks, State, StreamEnd};
use super::{Chunk, Hearing, Pbx, Speaker, Wire, eventually, leg_path, options, stream_path, tone};

const LOUD: i16 = 8_000;

#[actix_web::test]
async fn the_callers_sound_is_missing_then_not_ready_then_there() {
    let options = Options {
        stream_missing: Duration::from_millis(150),
        stream_not_ready: Duration::from_millis(150),
        ..options()
    };
    let pbx = Pbx::with(options).await;
    let ringing = pbx.place(NewCall { mode: Mode::NeedsAnswer, ..NewCall::from("+491") });
    assert_eq!(pbx.get(&stream_path(&ringing)).await.status, 404);
    let placed = pbx.rings();
    let mut statuses = vec![pbx.get(&stream_path(&placed)).await.status];
    eventually("the stream is there", || async {
        let hearing = Hearing::open(&pbx, &stream_path(&placed)).await;
        (hearing.status == 200).then_some(())
    })
    .await;
    let log = pbx.simulator.requests();
    let path = json!(stream_path(&placed));
    statuses.extend(
        log.iter()
            .filter(|one| one["path"] == path)
            .filter_map(|one| one["status"].as_u64())
            .map(|status| u16::try_from(status).unwrap()),
    );
    statuses.dedup();
    assert_eq!(statuses, [404, 424, 200]);
}

#[actix_web::test]
async fn the_callers_sound_comes_at_its_pace_in_chunks_of_every_size() {
    let pbx = Pbx::default().await;
    let placed = pbx.place(NewCall { speaks: Speaks::Tone(1_000), ..NewCall::from("+491") });
    let mut hearing = pbx.hears(&placed).await;
    let began = tokio::time::Instant::now();
    let (mut sound, mut sizes) = (Vec::new(), Vec::new());
    while sound.len() < 16_000 {
        let Chunk::Sound(chunk) = hearing.chunk().await else { panic!("the sound ends") };
        sizes.push(chunk.len());
        sound.extend(chunk);
    }
    // A second of sound takes a second, whatever the machine does besides; the first piece comes at once.
    assert!(began.elapsed() > Duration::from_millis(940), "{:?}", began.elapsed());
    assert!(sizes.iter().any(|size| size % 2 == 1), "{sizes:?}");
    assert!(sizes.iter().collect::<std::collections::HashSet<_>>().len() > 5, "{sizes:?}");
    // 1,000 Hz are 8 samples a turn.
    let samples: Vec<i16> = sound.as_chunks::<2>().0.iter().map(|pair| i16::from_le_bytes(*pair)).collect();
    assert_eq!(samples[..8], samples[8..16]);
    assert!(samples.iter().any(|sample| *sample > 3_000) && samples.iter().any(|sample| *sample < -3_000));
    assert!(pbx.simulator.hang_up(&placed.call_id));
    assert_eq!(hearing.end().await, Chunk::End);
}

#[actix_web::test]
async fn what_the_client_plays_is_what_the_caller_hears() {
    let pbx = Pbx::default().await;
    let placed = pbx.rings();
    let mut speaker = pbx.speaks(&placed).await;
    let silence = tone(160, 0);
    let sound: Vec<u8> = (0..1_600_i16).flat_map(|n| (n * 7).to_le_bytes()).collect();
    for piece in [&silence[..], &sound[..333], &sound[333..]] {
        assert!(speaker.say(piece).await);
    }
    let call = pbx.until(&placed, "has heard it all", |call| call.heard_ms >= 220).await;
    assert_eq!((call.bytes_received, call.posts_opened), (3_520, 1));
    assert!(call.first_frame_ms.is_some() && call.first_byte_at.is_some());
    // Twenty milliseconds of silence, and the first samples of the sound are too soft to be one.
    let (first, heard) = (call.first_frame_ms.unwrap(), call.first_sound_ms.unwrap());
    assert!((20..=40).contains(&(heard - first)), "{first} {heard}");
    let file = pbx.get(&format!("/sim/calls/{}/audio.wav", placed.call_id)).await;
    assert_eq!(file.header("content-type"), Some("audio/wav"));
    assert_eq!(file.body[44..44 + 3_520], [silence, sound].concat());
    let arrivals = pbx.get(&format!("/sim/calls/{}/arrivals", placed.call_id)).await.json();
    let bytes: u64 =
        arrivals.as_array().unwrap().iter().map(|arrival| arrival["bytes"].as_u64().unwrap()).sum();
    assert_eq!(bytes, 3_520);
    speaker.finish().await;
    assert_eq!(speaker.status().await, Some(200));
}

#[actix_web::test]
async fn a_writer_that_pauses_is_reported_and_one_that_does_not_is_not() {
    let pbx = Pbx::default().await;
    let (steady, pausing) = (pbx.rings(), pbx.rings());
    let (mut one, mut other) = (pbx.speaks(&steady).await, pbx.speaks(&pausing).await);
    // So much lead that the machine's own pauses do not show; the other has none worth the name.
    assert!(one.say(&tone(4_000, LOUD)).await && other.say(&tone(160, LOUD)).await);
    let steadily = one.say_for(30, LOUD);
    let with_a_pause = async {
        other.say_for(10, LOUD).await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        other.say_for(10, LOUD).await;
    };
    tokio::join!(steadily, with_a_pause);
    let (steady, pausing) = (pbx.call(&steady), pbx.call(&pausing));
    assert_eq!((steady.gaps_ms, steady.longest_gap_ms), (vec![], 0));
    assert!(steady.max_lead_ms >= 500, "{}", steady.max_lead_ms);
    assert!(pausing.longest_gap_ms >= 200, "{:?}", pausing.gaps_ms);
    assert!(pausing.gaps_ms.contains(&pausing.longest_gap_ms), "{:?}", pausing.gaps_ms);
}

#[actix_web::test]
async fn nothing_is_heard_of_what_is_discarded_at_first() {
    let pbx = Pbx::default().await;
    let placed = pbx.place(NewCall { discard_first_ms: Some(250), ..NewCall::from("+491") });
    let mut speaker = pbx.speaks(&placed).await;
    assert!(speaker.say(&tone(2_400, LOUD)).await);
    let call = pbx.until(&placed, "has heard the rest", |call| call.heard_ms == 50).await;
    assert!(call.first_sound_ms.unwrap() >= call.first_frame_ms.unwrap() + 250, "{call:?}");
    assert_eq!(pbx.simulator.audio(&placed.call_id).unwrap().len(), 44 + 50 * 16);
}

#[actix_web::test]
async fn a_hang_up_answers_the_writer_and_counts_what_comes_later() {
    let pbx = Pbx::with(Options { hangup_grace: Duration::from_millis(50), ..options() }).await;
    let placed = pbx.rings();
    let mut speaker = pbx.speaks(&placed).await;
    assert!(speaker.say(&tone(160, LOUD)).await);
    pbx.until(&placed, "hears", |call| call.bytes_received == 320).await;
    pbx.simulator.hang_up(&placed.call_id);
    assert_eq!(speaker.status().await, Some(200));
    assert!(speaker.say(&tone(50, LOUD)).await);
    let call = pbx.until(&placed, "counts what was under way", |call| call.bytes_under_way > 0).await;
    assert_eq!((call.bytes_under_way, call.bytes_after_hangup, call.bytes_received), (100, 0, 320));
    tokio::time::sleep(Duration::from_millis(60)).await;
    assert!(speaker.say(&tone(160, LOUD)).await);
    let call = pbx.until(&placed, "counts what comes later", |call| call.bytes_after_hangup > 0).await;
    assert_eq!((call.bytes_under_way, call.bytes_after_hangup, call.heard_ms <= 20), (100, 320, true));
    speaker.finish().await;
    // A stream that comes after the end meets no leg.
    assert_eq!(pbx.speaks(&placed).await.status().await, Some(404));
    assert_eq!(pbx.call(&placed).posts_too_late, 1);
}

#[actix_web::test]
async fn a_client_that_ends_with_its_call_sends_nothing_late() {
    let pbx = Pbx::default().await;
    let placed = pbx.rings();
    let mut speaker = pbx.speaks(&placed).await;
    assert!(speaker.say(&tone(160, LOUD)).await);
    pbx.until(&placed, "hears", |call| call.bytes_received == 320).await;
    speaker.finish().await;
    assert_eq!(speaker.status().await, Some(200));
    assert_eq!(pbx.post(&format!("{}/drop", leg_path(&placed)), &json!({})).await.status, 200);
    let call = pbx.call(&placed);
    assert_eq!((call.state, call.bytes_after_hangup, call.bytes_under_way), (State::Ended, 0, 0));
}

#[actix_web::test]
async fn streams_may_also_end_by_a_reset() {
    let pbx = Pbx::with(Options { stream_end: StreamEnd::Reset, ..options() }).await;
    let placed = pbx.rings();
    let (mut hearing, mut speaker) = (pbx.hears(&placed).await, pbx.speaks(&placed).await);
    assert!(speaker.say(&tone(160, LOUD)).await);
    pbx.until(&placed, "hears", |call| call.bytes_received == 320).await;
    pbx.simulator.hang_up(&placed.call_id);
    assert_eq!(hearing.end().await, Chunk::Broken);
    assert_eq!(speaker.status().await, None);
}

#[actix_web::test]
async fn what_is_sent_before_the_leg_is_connected_is_taken_and_never_heard() {
    let pbx = Pbx::default().await;
    let placed = pbx.place(NewCall { mode: Mode::NeedsAnswer, ..NewCall::from("+491") });
    let mut early = pbx.speaks(&placed).await;
    assert!(early.say(&tone(160, LOUD)).await);
    pbx.until(&placed, "takes it", |call| call.discarded_bytes == 320).await;
    pbx.post(&format!("{}/answer", leg_path(&placed)), &json!({})).await;
    assert!(early.say(&tone(160, LOUD)).await);
    let call = pbx.until(&placed, "takes that too", |call| call.discarded_bytes == 640).await;
    assert_eq!((call.first_byte_at, call.bytes_received), (None, 0));
}

#[actix_web::test]
async fn a_second_stream_takes_the_place_of_the_first_or_is_refused() {
    for (rule, first, second) in
        [(SecondPost::Replaces, Some(200), None), (SecondPost::Refused, None, Some(409))]
    {
        let pbx = Pbx::with(Options { second_post: rule, ..options() }).await;
        let placed = pbx.rings();
        let mut one = pbx.speaks(&placed).await;
        assert!(one.say(&tone(160, LOUD)).await);
        pbx.until(&placed, "hears", |call| call.bytes_received == 320).await;
        let mut other = pbx.speaks(&placed).await;
        for (speaker, status) in [(&mut one, first), (&mut other, second)] {
            if status.is_some() {
                assert_eq!(speaker.status().await, status);
            }
        }
        let last = if rule == SecondPost::Replaces { &mut other } else { &mut one };
        assert!(last.say(&tone(160, LOUD)).await);
        pbx.until(&placed, "hears the one that is left", |call| call.bytes_received == 640).await;
    }
}

#[actix_web::test]
async fn a_break_between_two_streams_is_told_apart_from_a_gap() {
    let pbx = Pbx::default().await;
    let placed = pbx.rings();
    let mut first = pbx.speaks(&placed).await;
    assert!(first.say(&tone(160, LOUD)).await);
    first.finish().await;
    assert_eq!(first.status().await, Some(200));
    tokio::time::sleep(Duration::from_millis(150)).await;
    let mut second = pbx.speaks(&placed).await;
    assert!(second.say(&tone(160, LOUD)).await);
    let call = pbx.until(&placed, "hears the second", |call| call.bytes_received == 640).await;
    assert_eq!((call.gaps_ms.len(), call.breaks_ms.len(), call.posts_opened), (0, 1, 2));
    assert!(call.breaks_ms[0] >= 130 && call.longest_gap_ms == call.breaks_ms[0], "{call:?}");
}

#[actix_web::test]
async fn audio_comes_in_chunks_and_an_empty_body_closes_the_stream() {
    let pbx = Pbx::default().await;
    let placed = pbx.rings();
    let mut speaker = pbx.speaks(&placed).await;
    assert!(speaker.say(&tone(160, LOUD)).await);
    pbx.until(&placed, "hears", |call| call.bytes_received == 320).await;
    let path = stream_path(&placed);
    let mut sized = Wire::open(&pbx, &format!("POST {path} HTTP/1.1\r\nContent-Length: 320")).await;
    tokio::io::AsyncWriteExt::write_all(&mut sized.0, &tone(160, LOUD)).await.unwrap();
    assert_eq!(sized.status().await, Some(400));
    let mut empty = Wire::open(&pbx, &format!("POST {path} HTTP/1.1\r\nContent-Length: 0")).await;
    assert_eq!(empty.status().await, Some(200));
    assert_eq!(speaker.status().await, Some(200));
    assert_eq!((pbx.call(&placed).state, pbx.call(&placed).posts_opened), (State::Connected, 1));
}

#[actix_web::test]
async fn a_client_that_leaves_closes_its_stream() {
    let pbx = Pbx::default().await;
    let placed = pbx.rings();
    let mut speaker = pbx.speaks(&placed).await;
    assert!(speaker.say(&tone(160, LOUD)).await);
    pbx.until(&placed, "hears", |call| call.bytes_received == 320).await;
    drop(speaker);
    let path = json!(stream_path(&placed));
    let noted = eventually("the end is noted", || async {
        let log = pbx.simulator.requests();
        let bodies = log.iter().filter(|one| one["path"] == path).map(|one| one["body"].clone());
        bodies.into_iter().find(|body| *body != Value::Null)
    })
    .await;
    assert_eq!(noted, json!({"stream_bytes": 320}));
    // No gap grows when nobody is there to fill it.
    assert!(pbx.call(&placed).gaps_ms.is_empty());
    let mut again = Speaker::open(&pbx, &stream_path(&placed)).await;
    assert!(again.say(&tone(160, LOUD)).await);
    pbx.until(&placed, "hears again", |call| call.bytes_received == 640).await;
}

#[actix_web::test]
async fn a_leg_may_have_one_stream_in_its_life() {
    let pbx = Pbx::with(Options { second_post: SecondPost::Never, ..options() }).await;
    let placed = pbx.rings();
    let mut one = pbx.speaks(&placed).await;
    assert!(one.say(&tone(160, LOUD)).await);
    pbx.until(&placed, "hears", |call| call.bytes_received == 320).await;
    drop(one);
    let mut other = pbx.speaks(&placed).await;
    assert_eq!(other.status().await, Some(409));
    assert_eq!(pbx.call(&placed).posts_opened, 1);
}

#[actix_web::test]
async fn a_leg_without_a_stream_may_be_given_up() {
    let kept = Some(std::time::Duration::from_millis(300));
    let pbx = Pbx::with(Options { kept_without_post: kept, ..options() }).await;
    let placed = pbx.rings();
    // Nobody has played into it yet: that is no reason.
    let mut one = pbx.speaks(&placed).await;
    assert!(one.say(&tone(160, LOUD)).await);
    pbx.until(&placed, "hears", |call| call.bytes_received == 320).await;
    drop(one);
    let mut again = pbx.speaks(&placed).await;
    assert!(again.say(&tone(160, LOUD)).await);
    pbx.until(&placed, "hears again in time", |call| call.bytes_received == 640).await;
    drop(again);
    let call = pbx.until(&placed, "gives it up", |call| call.ended_by.is_some()).await;
    assert_eq!(call.ended_by, Some(EndedBy::Silent));
}
