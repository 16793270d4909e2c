//! Disks that survive their processes. Data that was not synced before a crash may be complete, torn or lost.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::rc::Rc;

use precall_store::spool::Segments;

use crate::random::Random;

#[derive(Debug, Default)]
struct Files {
    files: BTreeMap<u64, Vec<u8>>,
    aside: usize,
    /// Start of the bytes that are not synced yet.
    unsynced: Option<(u64, usize)>,
    is_full: bool,
}

/// The spool directory of one process.
#[derive(Clone, Debug, Default)]
pub struct Disk(Rc<RefCell<Files>>);

impl Disk {
    /// The last append is synced.
    pub fn synced(&self) {
        self.0.borrow_mut().unsynced = None;
    }

    pub fn set_full(&self, is_full: bool) {
        self.0.borrow_mut().is_full = is_full;
    }

    /// The process has died.
    pub fn crash(&self, random: &mut Random) {
        let mut files = self.0.borrow_mut();
        let Some((segment, from)) = files.unsynced.take() else { return };
        let Some(file) = files.files.get_mut(&segment) else { return };
        let kept = random.between(0, i64::try_from(file.len() - from).unwrap());
        file.truncate(from + usize::try_from(kept).unwrap());
    }

    /// Loses a write that the disk has confirmed: the planted bug.
    pub fn lose_last(&self) {
        let mut files = self.0.borrow_mut();
        let last = files.files.keys().next_back().copied();
        last.map(|last| files.files.remove(&last));
    }

    /// Damaged segments: there must be none.
    pub fn damaged(&self) -> usize {
        self.0.borrow().aside
    }
}

impl Segments for Disk {
    fn list(&mut self) -> io::Result<Vec<(u64, u64)>> {
        Ok(self.0.borrow().files.iter().map(|(number, bytes)| (*number, bytes.len() as u64)).collect())
    }

    fn read(&mut self, segment: u64, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        let files = self.0.borrow();
        let from = usize::try_from(offset).unwrap();
        let bytes = files.files.get(&segment).and_then(|file| file.get(from..from + length));
        bytes.map(<[u8]>::to_vec).ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }

    fn append(&mut self, segment: u64, bytes: &[u8]) -> io::Result<()> {
        let mut files = self.0.borrow_mut();
        let is_full = files.is_full;
        let file = files.files.entry(segment).or_default();
        let from = file.len();
        if is_full {
            file.extend_from_slice(&bytes[..bytes.len() / 2]);
            return Err(io::ErrorKind::StorageFull.into());
        }
        file.extend_from_slice(bytes);
        files.unsynced = Some((segment, from));
        Ok(())
    }

    fn remove(&mut self, segment: u64) -> io::Result<()> {
        self.0.borrow_mut().files.remove(&segment).map(|_| ()).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn set_aside(&mut self, segment: u64) -> io::Result<()> {
        self.remove(segment)?;
        self.0.borrow_mut().aside += 1;
        Ok(())
    }
}
