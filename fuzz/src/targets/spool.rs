//! Bytes of the spool, as a crash or a bad disk leaves them.

use std::collections::BTreeMap;
use std::io;

use precall_store::spool::batch::{self, Together};
use precall_store::spool::{Segments, Spool};

use super::choice;

const HEAD: usize = 8;

/// Segments in memory.
#[derive(Debug, Default)]
struct Memory(BTreeMap<u64, Vec<u8>>);

impl Segments for Memory {
    fn list(&mut self) -> io::Result<Vec<(u64, u64)>> {
        Ok(self.0.iter().map(|(number, bytes)| (*number, bytes.len() as u64)).collect())
    }

    fn read(&mut self, segment: u64, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        let from = usize::try_from(offset).map_err(io::Error::other)?;
        let bytes = self.0.get(&segment).and_then(|file| file.get(from..from.checked_add(length)?));
        bytes.map(<[u8]>::to_vec).ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }

    fn append(&mut self, segment: u64, bytes: &[u8]) -> io::Result<()> {
        self.0.entry(segment).or_default().extend_from_slice(bytes);
        Ok(())
    }

    fn remove(&mut self, segment: u64) -> io::Result<()> {
        self.0.remove(&segment).map(drop).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn set_aside(&mut self, segment: u64) -> io::Result<()> {
        self.remove(segment)
    }
}

/// The first byte says how the rest is meant: as a segment, as payloads that get a right head, or as one batch.
pub(crate) fn spool(input: &[u8]) {
    let Some((choice, rest)) = choice(input) else { return };
    match choice % 3 {
        0 => segment(rest),
        1 => segment(&framed(rest)),
        _ => frame(rest),
    }
}

/// Payloads with right heads: two bytes of length, and the payload.
fn framed(mut pieces: &[u8]) -> Vec<u8> {
    let mut segment = Vec::new();
    while let Some((length, rest)) = pieces.split_first_chunk() {
        let (payload, rest) = rest.split_at(usize::from(u16::from_le_bytes(*length)).min(rest.len()));
        segment.extend_from_slice(&u32::try_from(payload.len()).unwrap().to_le_bytes());
        segment.extend_from_slice(&crc32fast::hash(payload).to_le_bytes());
        segment.extend_from_slice(payload);
        pieces = rest;
    }
    segment.extend_from_slice(pieces);
    segment
}

/// The payloads before the first frame that is not whole.
fn whole_frames(mut segment: &[u8]) -> Vec<&[u8]> {
    let mut found = Vec::new();
    while let Some((head, rest)) = segment.split_first_chunk::<HEAD>() {
        let [a, b, c, d, sum @ ..] = *head;
        let length = usize::try_from(u32::from_le_bytes([a, b, c, d])).unwrap();
        let Some((payload, rest)) = rest.split_at_checked(length) else { break };
        if payload.is_empty() || crc32fast::hash(payload) != u32::from_le_bytes(sum) {
            break;
        }
        found.push(payload);
        segment = rest;
    }
    found
}

/// Exactly the whole frames are read. After damage each is read whole or not at all, and a new frame goes behind them.
fn segment(bytes: &[u8]) {
    let expected = whole_frames(bytes);
    let mut spool = Spool::open(Memory(BTreeMap::from([(7, bytes.to_vec())])), u64::MAX).unwrap();
    assert_eq!(spool.peek(0, usize::MAX).unwrap(), expected);
    assert_eq!(spool.frames(), expected.len());
    spool.append(b"new").unwrap();
    assert_eq!(spool.peek(expected.len(), usize::MAX).unwrap(), [b"new"]);
    let place = expected.first().map_or(0, |first| first.len() / 2).saturating_add(HEAD);
    if let Some(byte) = spool.segments().0.get_mut(&7).and_then(|file| file.get_mut(place)) {
        *byte ^= 0x10;
    }
    let mut left = expected.iter();
    let read = spool.peek(0, usize::MAX).unwrap();
    let (new, old) = read.split_last().unwrap();
    assert_eq!(new, b"new");
    assert!(old.iter().all(|payload| left.any(|known| known == payload)), "a frame that was never written");
    while let Some(Together { frames, .. }) = batch::peek(&mut spool, 0).unwrap() {
        spool.take_out(frames).unwrap();
    }
    assert!(spool.is_empty());
}

/// A batch that is read is the same when it is written and read again.
fn frame(payload: &[u8]) {
    let mut spool = Spool::open(Memory::default(), u64::MAX).unwrap();
    spool.append(payload).unwrap();
    let Some(read) = batch::peek(&mut spool, 0).unwrap() else { return };
    let written = batch::to_frame(&read.batch, read.generation).unwrap();
    spool.append(&written).unwrap();
    let again = batch::peek(&mut spool, 1).unwrap().unwrap();
    assert_eq!(again.generation, read.generation);
    assert_eq!(format!("{:?}", again.batch), format!("{:?}", read.batch));
}
