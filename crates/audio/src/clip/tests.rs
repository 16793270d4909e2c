//! Tests of clip.

use super::*;

#[test]
fn a_clip_holds_whole_samples_and_has_their_duration() {
    let clip = Clip::new(vec![1_u8; 321]);
    assert_eq!(clip.pcm().len(), 320);
    assert_eq!(clip.duration(), Duration::from_millis(20));
    assert_eq!(Clip::from_samples(&[1, -1]).pcm().as_ref(), [1, 0, 255, 255]);
    assert!(Clip::new(vec![7_u8]).is_empty());
}

#[test]
fn bytes_and_durations_convert_both_ways() {
    assert_eq!(bytes_within(Duration::from_millis(60)), 960);
    assert_eq!(bytes_within(Duration::from_micros(124)), 0);
    assert_eq!(bytes_within(Duration::from_micros(249)), 2);
    assert_eq!(duration_of(bytes_within(Duration::from_secs(3600))), Duration::from_secs(3600));
    assert_eq!(bytes_within(Duration::MAX) % SAMPLE, 0, "no overflow");
}
