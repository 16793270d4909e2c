//! Recordings of real encoders, each read or refused in words as `recordings.tsv` says. The small ones are in the
//! repository; `scripts/make-recordings` makes all of them, and `RECORDINGS` names its folder.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::cast_precision_loss,
    reason = "a test may stop at what it did not expect"
)]

use std::collections::BTreeMap;
use std::f64::consts::TAU;
use std::fs;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use precall_audio::clip::Clip;
use precall_audio::prompts::{RecordingFormat, read_recording, to_wav};

const TABLE: &str = include_str!("recordings.tsv");
/// What every recording holds.
const TONE_HZ: f64 = 700.0;
const TONE_AMPLITUDE: f64 = 0.25;
/// Encoders add up to two frames before and behind the sound.
const LENGTH_TOLERANCE_MS: u128 = 160;

/// A row of the table.
struct Row {
    /// A format's name, or `refused`.
    outcome: &'static str,
    /// `as it is` or `as WAV`: how a voice sample is sent. For a refused recording, the words.
    detail: &'static str,
    length_ms: u128,
}

fn table() -> BTreeMap<&'static str, Row> {
    let rows = TABLE.lines().filter(|line| !line.starts_with('#'));
    rows.map(|line| {
        let cells: Vec<&str> = line.split('\t').collect();
        let [name, outcome, length, detail] = cells[..] else { panic!("not four cells: {line}") };
        (name, Row { outcome, detail, length_ms: length.parse().unwrap_or(0) })
    })
    .collect()
}

/// Level of one frequency and of everything, both as amplitudes of a sine, in the middle half of the clip.
fn levels(clip: &Clip) -> (f64, f64) {
    let samples: Vec<f64> = clip
        .pcm()
        .chunks_exact(2)
        .map(|pair| f64::from(i16::from_le_bytes([pair[0], pair[1]])) / 32_768.0)
        .collect();
    let middle = &samples[samples.len() / 4..samples.len() * 3 / 4];
    let (mut re, mut im, mut power) = (0.0, 0.0, 0.0);
    for (n, sample) in middle.iter().enumerate() {
        let angle = TAU * TONE_HZ * n as f64 / 8_000.0;
        re += sample * angle.cos();
        im += sample * angle.sin();
        power += sample * sample;
    }
    let count = middle.len() as f64;
    (2.0 * re.hypot(im) / count, (2.0 * power / count).sqrt())
}

fn check_tone(clip: &Clip, length_ms: u128) -> Result<(), String> {
    let length = clip.duration().as_millis();
    if length.abs_diff(length_ms) > LENGTH_TOLERANCE_MS {
        return Err(format!("{length} ms"));
    }
    let (tone, all) = levels(clip);
    if tone < 0.97 * all {
        return Err(format!("not the tone: {tone:.3} of {all:.3}"));
    }
    if (tone / TONE_AMPLITUDE - 1.0).abs() > 0.12 {
        return Err(format!("not its level: {tone:.3}"));
    }
    Ok(())
}

fn check(row: &Row, content: &Bytes) -> Result<(), String> {
    let recording = match (read_recording(content), row.outcome) {
        (Err(error), "refused") => {
            let said = error.to_string();
            let is_right = match row.detail.strip_suffix("...") {
                Some(start) => said.starts_with(start),
                None => said == row.detail,
            };
            return if is_right && said.contains(": ") { Ok(()) } else { Err(said) };
        }
        (Err(error), _) => return Err(format!("refused: {error}")),
        (Ok(recording), _) => recording,
    };
    let as_it_is = recording.is_common && recording.format.as_sample().is_some();
    let sent = if as_it_is { "as it is" } else { "as WAV" };
    if (recording.format.name(), sent) != (row.outcome, row.detail) {
        return Err(format!(
            "{} {sent}, {} ms",
            recording.format.name(),
            recording.clip.duration().as_millis()
        ));
    }
    check_tone(&recording.clip, row.length_ms)?;
    if as_it_is {
        return Ok(());
    }
    let wav = to_wav(content, recording.clip.duration()).map_err(|error| format!("to WAV: {error}"))?;
    let again = read_recording(&wav).map_err(|error| format!("its own WAV: {error}"))?;
    if (again.format, again.is_common) != (RecordingFormat::Wav, true) {
        return Err("its own WAV is not a common one".to_owned());
    }
    check_tone(&again.clip, row.length_ms).map_err(|error| format!("its own WAV: {error}"))
}

fn files(folder: &Path) -> Vec<(String, PathBuf)> {
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_none_or(|end| end != "md"))
        .map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), path))
        .collect();
    files.sort();
    files
}

fn wrong_in(folder: &Path) -> (usize, Vec<String>) {
    let table = table();
    let mut wrong = Vec::new();
    let files = files(folder);
    for (name, path) in &files {
        let outcome = match table.get(name.as_str()) {
            Some(row) => check(row, &Bytes::from(fs::read(path).unwrap())),
            None => Err("not in the table".to_owned()),
        };
        wrong.extend(outcome.err().map(|what| format!("{name}: {what}")));
    }
    (files.len(), wrong)
}

#[test]
fn recordings_of_the_repository_are_read_as_the_table_says() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/prompts/fixtures/recordings");
    let (count, wrong) = wrong_in(&folder);
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(count >= 30, "{count} files");
}

#[test]
fn all_recordings_are_read_as_the_table_says() {
    let Some(folder) = std::env::var_os("RECORDINGS") else {
        println!("not run: RECORDINGS names the folder of scripts/make-recordings");
        return;
    };
    let (count, wrong) = wrong_in(Path::new(&folder));
    assert!(wrong.is_empty(), "{wrong:#?}");
    let made: Vec<String> = files(Path::new(&folder)).into_iter().map(|(name, _)| name).collect();
    let missing: Vec<_> = table().into_keys().filter(|name| !made.iter().any(|made| made == name)).collect();
    assert!(missing.is_empty(), "in the table and not made: {missing:?}");
    println!("{count} recordings");
}

#[test]
fn the_table_has_every_format_and_sixty_recordings() {
    let table = table();
    assert!(table.len() >= 60, "{}", table.len());
    for format in RecordingFormat::ALL {
        assert!(table.values().any(|row| row.outcome == format.name()), "{format:?}");
    }
}
