//! The spool returns every frame, in order, after crashes and damage of the bytes.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop at what it did not expect")]

use std::collections::BTreeMap;
use std::io;

use proptest::prelude::{ProptestConfig, any, prop, prop_assert_eq, proptest};

use super::{AppendError, HEAD, SEGMENT_BYTES, Segments, Spool};

/// Segments in memory. `break_after` sets how many bytes still fit.
#[derive(Clone, Debug, Default)]
struct Memory {
    files: BTreeMap<u64, Vec<u8>>,
    aside: BTreeMap<u64, Vec<u8>>,
    fits: Option<usize>,
}

impl Segments for Memory {
    fn list(&mut self) -> io::Result<Vec<(u64, u64)>> {
        Ok(self.files.iter().map(|(number, bytes)| (*number, bytes.len() as u64)).collect())
    }

    fn read(&mut self, segment: u64, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        let from = usize::try_from(offset).unwrap();
        let bytes = self.files.get(&segment).and_then(|file| file.get(from..from + length));
        bytes.map(<[u8]>::to_vec).ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }

    fn append(&mut self, segment: u64, bytes: &[u8]) -> io::Result<()> {
        let fits = self.fits.unwrap_or(usize::MAX).min(bytes.len());
        self.files.entry(segment).or_default().extend_from_slice(&bytes[..fits]);
        self.fits = self.fits.map(|left| left - fits);
        if fits == bytes.len() { Ok(()) } else { Err(io::ErrorKind::StorageFull.into()) }
    }

    fn remove(&mut self, segment: u64) -> io::Result<()> {
        self.files.remove(&segment).map(|_| ()).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn set_aside(&mut self, segment: u64) -> io::Result<()> {
        let file = self.files.remove(&segment).ok_or(io::ErrorKind::NotFound)?;
        self.aside.insert(segment, file);
        Ok(())
    }
}

fn spool() -> Spool<Memory> {
    Spool::open(Memory::default(), u64::MAX).unwrap()
}

/// The spool as the next start finds it.
fn reopened(spool: &Spool<Memory>) -> Spool<Memory> {
    Spool::open(spool.segments.clone(), u64::MAX).unwrap()
}

fn all(spool: &mut Spool<Memory>) -> Vec<Vec<u8>> {
    spool.peek(0, usize::MAX).unwrap()
}

#[test]
fn frames_come_out_in_order_and_their_files_go_with_them() {
    let mut spool = spool();
    let big = vec![7; usize::try_from(SEGMENT_BYTES).unwrap()];
    for frame in [b"one".as_slice(), &big, b"two", b"three"] {
        spool.append(frame).unwrap();
    }
    assert_eq!(spool.segments.files.len(), 2, "a new segment follows a full one");
    assert_eq!(spool.peek(0, 1).unwrap(), [b"one"], "at least one");
    assert_eq!(spool.peek(2, 8).unwrap(), [b"two".as_slice(), b"three"]);
    spool.take_out(1).unwrap();
    assert_eq!(spool.segments.files.len(), 2, "the segment still holds the big frame");
    spool.take_out(1).unwrap();
    assert_eq!(spool.segments.files.len(), 1);
    assert_eq!(spool.bytes(), (3 + 5 + 2 * HEAD) as u64);
    spool.take_out(2).unwrap();
    assert!(spool.is_empty() && spool.segments.files.is_empty() && spool.bytes() == 0);
    spool.append(b"four").unwrap();
    assert_eq!(all(&mut reopened(&spool)), [b"four"]);
}

#[test]
fn a_full_spool_refuses_before_it_writes() {
    let mut spool = Spool::open(Memory::default(), 20).unwrap();
    spool.append(b"0123456789").unwrap();
    let error = spool.append(b"x").unwrap_err();
    assert!(matches!(error, AppendError::Full { bytes: 18, max: 20 }), "{error}");
    spool.take_out(1).unwrap();
    spool.append(b"x").unwrap();
    assert_eq!(all(&mut spool), [b"x"]);
}

#[test]
fn a_full_disk_loses_no_acknowledged_frame() {
    let mut spool = spool();
    spool.append(b"before").unwrap();
    spool.segments.fits = Some(5);
    assert!(matches!(spool.append(b"half of it"), Err(AppendError::Disk(_))));
    assert!(matches!(spool.append(b"nothing"), Err(AppendError::Disk(_))));
    spool.segments.fits = None;
    spool.append(b"after").unwrap();
    assert_eq!(all(&mut spool), [b"before".as_slice(), b"after"]);
    assert_eq!(all(&mut reopened(&spool)), [b"before".as_slice(), b"after"]);
    spool.take_out(2).unwrap();
    assert!(spool.segments.files.is_empty() && spool.segments.aside.is_empty());
}

#[test]
fn a_damaged_segment_is_kept_and_its_other_frames_are_used() {
    let mut spool = spool();
    for frame in [b"one", b"two", b"six"] {
        spool.append(frame).unwrap();
    }
    spool.open = None;
    spool.append(b"ten").unwrap();
    let mut bad = spool.segments.clone();
    bad.files.get_mut(&1).unwrap()[HEAD + 3 + HEAD] ^= 1;
    let mut found = Spool::open(bad, u64::MAX).unwrap();
    assert_eq!(all(&mut found), [b"one", b"ten"], "nothing after the damage can be trusted");
    found.take_out(2).unwrap();
    assert_eq!(found.segments.aside.keys().collect::<Vec<_>>(), [&1]);
    // While precall runs, it knows where the next frame begins.
    spool.segments.files.get_mut(&1).unwrap()[HEAD + 3 + HEAD] ^= 1;
    assert_eq!(all(&mut spool), [b"one", b"six", b"ten"]);
    spool.take_out(3).unwrap();
    assert_eq!(spool.segments.aside.keys().collect::<Vec<_>>(), [&1]);
}

#[test]
fn zeros_after_the_last_frame_are_not_damage() {
    let mut spool = spool();
    spool.append(b"one").unwrap();
    spool.segments.files.get_mut(&1).unwrap().extend([0; 4096]);
    let mut found = reopened(&spool);
    assert_eq!(all(&mut found), [b"one"]);
    found.take_out(1).unwrap();
    assert!(found.segments.aside.is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_torn_end_loses_only_the_last_frame(
        frames in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..40), 1..8),
        cut in any::<prop::sample::Index>(),
        garbage in any::<bool>(),
    ) {
        let mut spool = spool();
        for frame in &frames {
            spool.append(frame).unwrap();
        }
        let last = frames.last().unwrap().len() + HEAD;
        let file = spool.segments.files.get_mut(&1).unwrap();
        let lost = cut.index(last) + 1;
        let whole = file.len();
        if garbage {
            // The crash wrote the length of the file but not its last bytes.
            file[whole - lost..].fill(0);
        } else {
            file.truncate(whole - lost);
        }
        // The original bytes may be zeros.
        let survives = spool.segments.files[&1].len() == whole && reopened(&spool).frames() == frames.len();
        let expected = if survives { frames.len() } else { frames.len() - 1 };
        let mut found = reopened(&spool);
        prop_assert_eq!(all(&mut found), &frames[..expected]);
        found.take_out(expected).unwrap();
        prop_assert_eq!(found.segments.files.len(), 0);
        prop_assert_eq!(found.segments.aside.len(), 0);
    }
}
