//! Tests of the conversion between a leg and an agent, with a tone, in every format.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a test may stop at what it did not expect"
)]
use std::f64::consts::TAU;

use proptest::prelude::{ProptestConfig, prop};
use proptest::{prop_assert_eq, proptest};

use super::*;

fn rate(format: AudioFormat) -> u32 {
    match format {
        AudioFormat::Pcm(rate) => rate,
        AudioFormat::Ulaw => RATE,
    }
}

fn tone(rate: u32, hz: f64, ms: u32) -> Vec<i16> {
    (0..rate * ms / 1_000)
        .map(|n| (8_000.0 * (TAU * hz * f64::from(n) / f64::from(rate)).sin()) as i16)
        .collect()
}

fn encoded(format: AudioFormat, samples: &[i16]) -> Vec<u8> {
    let mut bytes = BytesMut::new();
    samples.iter().for_each(|sample| put(format, *sample, &mut bytes));
    bytes.to_vec()
}

fn decoded(format: AudioFormat, bytes: &[u8]) -> Vec<i16> {
    match format {
        AudioFormat::Ulaw => bytes.iter().map(|byte| decode_ulaw(*byte)).collect(),
        AudioFormat::Pcm(_) => {
            bytes.as_chunks::<SAMPLE>().0.iter().map(|sample| i16::from_le_bytes(*sample)).collect()
        }
    }
}

/// The amplitude of a frequency in the middle half of the samples.
fn level(samples: &[i16], rate: u32, hz: f64) -> f64 {
    let middle = &samples[samples.len() / 4..samples.len() * 3 / 4];
    let (mut re, mut im) = (0.0, 0.0);
    for (n, sample) in middle.iter().enumerate() {
        let angle = TAU * hz * n as f64 / f64::from(rate);
        re += f64::from(*sample) * angle.cos();
        im += f64::from(*sample) * angle.sin();
    }
    2.0 * (re * re + im * im).sqrt() / middle.len() as f64
}

fn through(transcoder: &mut Transcoder, bytes: &[u8], piece: usize) -> Vec<u8> {
    let mut out = BytesMut::new();
    bytes.chunks(piece).for_each(|piece| transcoder.take(piece, &mut out));
    out.to_vec()
}

#[test]
fn a_tone_keeps_frequency_and_level_both_ways_in_every_format() {
    let leg = AudioFormat::Pcm(RATE);
    for (name, format) in AudioFormat::ALL {
        for (from, to) in [(format, leg), (leg, format)] {
            let said = encoded(from, &tone(rate(from), 440.0, 1_000));
            let heard = decoded(to, &through(&mut Transcoder::new(from, to), &said, 641));
            let level = level(&heard, rate(to), 440.0);
            assert!((level - 8_000.0).abs() < 250.0, "{name}: {level}");
        }
    }
}

#[test]
fn the_delay_is_below_20_ms() {
    let leg = AudioFormat::Pcm(RATE);
    for (name, format) in AudioFormat::ALL {
        for (from, to) in [(format, leg), (leg, format)] {
            let mut samples = vec![0; rate(from) as usize / 2];
            samples.extend(tone(rate(from), 440.0, 500));
            let heard = decoded(to, &through(&mut Transcoder::new(from, to), &encoded(from, &samples), 320));
            let onset = heard.iter().position(|sample| sample.unsigned_abs() > 2_000).unwrap();
            let late_ms = onset as f64 * 1_000.0 / f64::from(rate(to)) - 500.0;
            assert!((-5.0..20.0).contains(&late_ms), "{name}: {late_ms} ms");
        }
    }
}

#[test]
fn silence_stays_silence_and_8_khz_pcm_passes_unchanged() {
    for (name, format) in AudioFormat::ALL {
        let mut transcoder = Transcoder::new(AudioFormat::Pcm(RATE), format);
        let heard = decoded(format, &through(&mut transcoder, &[0; 16_000], 320));
        assert!(heard.iter().all(|sample| *sample == 0), "{name}");
    }
    let said = encoded(AudioFormat::Pcm(RATE), &tone(RATE, 300.0, 100));
    let mut transcoder = Transcoder::new(AudioFormat::Pcm(RATE), AudioFormat::Pcm(RATE));
    assert_eq!(through(&mut transcoder, &said, 33), said);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn the_size_of_the_pieces_does_not_matter(
        format in 0..AudioFormat::ALL.len(),
        cuts in prop::collection::vec(1_usize..900, 1..30),
    ) {
        let (_, format) = AudioFormat::ALL[format];
        let leg = AudioFormat::Pcm(RATE);
        let said = encoded(format, &tone(rate(format), 700.0, 120));
        let whole = through(&mut Transcoder::new(format, leg), &said, said.len());
        let (mut transcoder, mut out, mut rest) = (Transcoder::new(format, leg), BytesMut::new(), said.as_slice());
        for cut in cuts.into_iter().cycle().take(10_000) {
            let (piece, after) = rest.split_at(cut.min(rest.len()));
            transcoder.take(piece, &mut out);
            rest = after;
            if rest.is_empty() { break; }
        }
        prop_assert_eq!(out.to_vec(), whole);
    }
}
