//! Damaged and hostile recordings end soon and take little memory. One test, because it measures the whole process.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop at what it did not expect")]

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use bytes::Bytes;
use precall_audio::prompts::{AudioError, read_recording};

/// Rounds over all recordings; `BOUNDS_ROUNDS` sets another number.
const ROUNDS: u32 = 3;
/// In a debug build on a busy machine.
const TIME_MAX: Duration = Duration::from_secs(60);
/// The largest recording of ten minutes takes as much.
const MEMORY_MAX_MIB: u64 = 400;
/// With the arenas of the allocator.
const RESERVED_MAX_MIB: u64 = 2_000;

/// The most memory that the process has had, in MiB: `VmHWM` of what was used, `VmPeak` of what was reserved.
fn peak_mib(kind: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(kind)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1_024
}

fn read(what: &str, content: Vec<u8>) -> Result<(), AudioError> {
    let began = Instant::now();
    let read = read_recording(&Bytes::from(content)).map(drop);
    assert!(began.elapsed() < TIME_MAX, "{what} took {:?}", began.elapsed());
    assert!(peak_mib("VmHWM:") < MEMORY_MAX_MIB, "{what}: {} MiB", peak_mib("VmHWM:"));
    assert!(peak_mib("VmPeak:") < RESERVED_MAX_MIB, "{what} reserves {} MiB", peak_mib("VmPeak:"));
    read
}

/// The same numbers every time.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(bound.max(1)).unwrap()).unwrap()
    }
}

/// Overwrites the field behind a name, in big or little endian.
fn set(content: &mut [u8], name: &[u8], behind: usize, value: [u8; 4]) {
    let at = content.windows(name.len()).position(|found| found == name).unwrap() + name.len() + behind;
    content[at..at + 4].copy_from_slice(&value);
}

#[test]
fn hostile_recordings_end_soon_and_take_little_memory() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/prompts/fixtures/recordings");
    let load = |name: &str| fs::read(folder.join(name)).unwrap();

    // Four billion samples of a byte, in a file of 14 KiB; four billion chunks; a length of 2^32.
    let mut memo = load("m4a_moov_at_end.m4a");
    set(&mut memo, b"stsz", 4, [0, 0, 0, 1]);
    set(&mut memo, b"stsz", 8, [0xff; 4]);
    assert!(read("samples of a byte", memo).is_err());
    let mut memo = load("m4a_moov_at_end.m4a");
    set(&mut memo, b"stsc", 12, [0xff; 4]);
    set(&mut memo, b"stts", 8, [0xff; 4]);
    let _ = read("chunks without end", memo);
    for name in ["stsz", "stts", "stco", "stsc", "elst", "stsd"] {
        let mut memo = load("m4a_moov_at_end.m4a");
        set(&mut memo, name.as_bytes(), 4, [0xff; 4]);
        let _ = read(name, memo);
    }
    // Core Audio: packets of four billion samples, of four billion channels, of four billion bytes.
    for (codec, place, what) in
        [("ima4", 20, "frames"), ("lpcm", 20, "frames"), ("lpcm", 24, "channels"), ("lpcm", 16, "bytes")]
    {
        let mut caf = b"caff\0\x01\0\0desc\0\0\0\0\0\0\0\x20\x40\xe5\x88\x80\0\0\0\0".to_vec();
        caf.extend(codec.as_bytes());
        let bytes = if codec == "ima4" { 34 } else { 2 };
        caf.extend([0, 0, 0, 2, 0, 0, 0, bytes, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 16]);
        caf[20 + place..24 + place].fill(0xff);
        caf.extend(b"data\0\0\0\0\0\0\x40\x04\0\0\0\0");
        caf.extend([1; 0x4000]);
        let _ = read(what, caf);
    }
    // A picture of 256 MiB in a tag.
    let tag = [b"ID3\x04\0\0\x7f\x7f\x7f\x7f".as_slice(), &[0; 1_000]].concat();
    assert!(read("a tag of 256 MiB", tag).is_err());
    // Elements of 2^55 bytes.
    let mut webm = load("webm_opus.webm");
    let codec = webm.windows(6).position(|found| found == b"A_OPUS").unwrap();
    webm[codec - 1] = 0x01;
    let _ = read("an endless element", webm);
    // A minute of FLAC in a few bytes a block is a long time in few bytes.
    let flac = load("flac.flac");
    let long = [flac.as_slice(), &flac[86..].repeat(400)].concat();
    let _ = read("a long FLAC", long);
    // A rate without a common divisor.
    let mut wav = load("wav_sizes_0.wav");
    wav[24..28].copy_from_slice(&655_357_u32.to_le_bytes());
    assert_eq!(read("an odd rate", wav.clone()), Err(AudioError::Rate(655_357)));
    wav[24..28].copy_from_slice(&u32::MAX.to_le_bytes());
    assert_eq!(read("an impossible rate", wav), Err(AudioError::Rate(u32::MAX)));

    let rounds = std::env::var("BOUNDS_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(ROUNDS);
    let mut random = Random(0x5eed_5eed_5eed_5eed);
    let mut files: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    for round in 0..rounds {
        for path in &files {
            let mut content = fs::read(path).unwrap();
            // Headers are at the start, and in MP4 at the end.
            for _ in 0..=random.below(4) {
                let (length, part) = (content.len(), random.below(3));
                let at = match part {
                    0 => random.below(length.min(200)),
                    1 => length.saturating_sub(1).saturating_sub(random.below(length.min(900))),
                    _ => random.below(length),
                };
                if let Some(byte) = content.get_mut(at) {
                    *byte = u8::try_from(random.below(256)).unwrap();
                }
            }
            let _ = read(&format!("{} in round {round}", path.display()), content);
        }
    }
    println!("{} MiB at most, {} MiB reserved", peak_mib("VmHWM:"), peak_mib("VmPeak:"));
}
