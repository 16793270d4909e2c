//! The tap: bounded, never waiting, in order.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail")]

use std::thread;

use super::*;

const MS: Duration = Duration::from_millis(1);

fn audio(ms: usize, sample: i16) -> Bytes {
    sample.to_le_bytes().repeat(ms * 8).into()
}

fn taken(reader: &mut TapReader) -> VecDeque<TapFrame> {
    let mut frames = TapReader::queue();
    reader.take(&mut frames);
    frames
}

fn samples(frames: &VecDeque<TapFrame>, channel: TapChannel) -> usize {
    frames.iter().filter(|frame| frame.channel == channel).map(|frame| frame.pcm.len() / SAMPLE).sum()
}

#[test]
fn both_directions_are_heard_in_frames_of_20_ms_on_one_clock() {
    let (mut writer, mut reader, _) = tap();
    let began = writer.clock.began;
    assert!(writer.write(TapChannel::Caller, began + MS, &audio(50, 1)));
    assert!(writer.write(TapChannel::ToCaller, began + 60 * MS, &audio(20, 2)));
    let frames = taken(&mut reader);
    let lengths: Vec<usize> = frames.iter().map(|frame| frame.pcm.len()).collect();
    assert_eq!(lengths, [320, 320, 160, 320]);
    let positions: Vec<u32> = frames.iter().map(|frame| frame.position).collect();
    assert_eq!(positions, [8, 168, 328, 480]);
    assert_eq!(frames[3].pcm, audio(20, 2));
    assert_eq!((samples(&frames, TapChannel::Caller), reader.dropped()), (400, 0));
}

#[test]
fn audio_in_bursts_has_no_gaps_and_a_cut_has_one() {
    let (mut writer, mut reader, _) = tap();
    let began = writer.clock.began;
    for at in [0, 5, 70, 90, 1_000] {
        writer.write(TapChannel::Caller, began + at * MS, &audio(20, 1));
    }
    let positions: Vec<u32> = taken(&mut reader).iter().map(|frame| frame.position).collect();
    assert_eq!(positions, [0, 160, 320, 480, 8_000]);
}

#[test]
fn a_listener_that_does_not_read_loses_the_oldest_and_is_told_how_many() {
    let (mut writer, mut reader, _) = tap();
    for ms in 0..250_u32 {
        let sample = i16::try_from(ms).unwrap();
        assert!(writer.write(TapChannel::Caller, writer.clock.began + 20 * MS * ms, &audio(20, sample)));
    }
    assert!(writer.kept.is_empty());
    let frames = taken(&mut reader);
    assert_eq!((frames.len(), reader.dropped()), (FRAMES_MAX, 50));
    assert_eq!((&frames[0].pcm, &frames[199].pcm), (&audio(20, 50), &audio(20, 249)));
    assert_eq!(frames[0].position, 50 * 160);
}

#[test]
fn the_writer_does_not_wait_for_a_reader_that_holds_the_lock() {
    let (mut writer, mut reader, _) = tap();
    let shared = Arc::clone(&writer.shared);
    let held = shared.waiting.lock().unwrap();
    let writing = thread::spawn(move || {
        for ms in 0..300_u32 {
            writer.write(TapChannel::ToCaller, writer.clock.began + 20 * MS * ms, &audio(20, 1));
        }
        writer
    });
    // It ends although the lock is never free.
    let mut writer = writing.join().unwrap();
    assert_eq!((writer.kept.len(), writer.dropped), (FRAMES_MAX, 100));
    drop(held);
    writer.write(TapChannel::ToCaller, writer.clock.began + 6_000 * MS, &audio(20, 9));
    let frames = taken(&mut reader);
    assert_eq!((frames.len(), reader.dropped()), (FRAMES_MAX, 101));
    assert_eq!(frames[199].pcm, audio(20, 9));
}

#[test]
fn of_a_piece_that_is_longer_than_the_tap_the_end_is_kept() {
    let (mut writer, mut reader, _) = tap();
    let long = Bytes::from([audio(1_000, 1), audio(2_000, 2)].concat());
    writer.write(TapChannel::Caller, writer.clock.began, &long);
    let frames = taken(&mut reader);
    assert_eq!((frames.len(), frames[0].position), (100, 8_000));
    assert_eq!(frames[0].pcm, audio(20, 2));
}

#[test]
fn the_first_end_counts_and_a_writer_without_a_listener_is_forgotten() {
    let (writer, reader, control) = tap();
    let taps = Taps::default();
    assert!(!taps.is_on());
    taps.add(writer);
    taps.write(TapChannel::Caller, Instant::now(), &audio(20, 1));
    assert!(taps.is_on() && !reader.is_closed());
    control.end(TapEnd::HandedOver);
    control.end(TapEnd::CallEnded);
    assert_eq!((reader.ended(), reader.is_closed()), (Some(TapEnd::HandedOver), true));
    taps.write(TapChannel::Caller, Instant::now(), &audio(20, 1));
    assert!(!taps.is_on());

    let (writer, reader, control) = tap();
    taps.add(writer);
    assert!(!control.is_abandoned());
    drop(reader);
    assert!(control.is_abandoned());
    taps.write(TapChannel::Caller, Instant::now(), &audio(20, 1));
    assert!(!taps.is_on());

    let (writer, mut reader, control) = tap();
    taps.add(writer);
    taps.write(TapChannel::Caller, Instant::now(), &audio(20, 1));
    taps.close();
    assert_eq!((reader.is_closed(), reader.ended(), taken(&mut reader).len()), (true, None, 1));
    assert!(!control.is_abandoned());
    control.end(TapEnd::CallEnded);
    assert_eq!(reader.ended(), Some(TapEnd::CallEnded), "the reason comes after the end of the audio");
}
