//! What the decoder's library does not tell of an MP4 file: whether it is whole, which codec an unread track has, what
//! its edit list cuts away, and the core of an HE-AAC stream.

use super::audio_error::AudioError;

#[cfg(test)]
mod tests;

/// Boxes on one level. A fragment of a second each, for ten minutes, has fewer.
const BOXES_MAX: usize = 100_000;
const TRACKS_MAX: usize = 32;
/// A recording has one edit, and perhaps a pause before it.
const EDITS_KEPT: usize = 3;

/// What an MP4 file says of itself.
#[derive(Debug, Default)]
pub(super) struct Mp4 {
    /// The last box ends with the file.
    pub(super) is_whole: bool,
    pub(super) tracks: Vec<Mp4Track>,
    /// Units a second of edits' lengths.
    timescale: u32,
}

/// A track.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Mp4Track {
    pub(super) id: u32,
    /// `soun`, `vide`, `text`.
    pub(super) handler: [u8; 4],
    /// The sample entry, such as `mp4a`.
    pub(super) codec: [u8; 4],
    /// PCM of an old kind, whose byte order is told elsewhere than in its name.
    is_big_endian: bool,
    timescale: u32,
    /// Length in the file's units, and start in the track's; a start of -1 is a pause.
    edits: Vec<(u64, i64)>,
}

/// The part of a track that is played, in seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Played {
    pub(super) from: f64,
    /// `None`: to the end.
    pub(super) length: Option<f64>,
}

impl Mp4 {
    /// Reads the boxes. A damaged file gives what was read of it.
    pub(super) fn read(content: &[u8]) -> Self {
        let mut file = Self { is_whole: true, ..Self::default() };
        let mut walk = Boxes::new(content);
        for found in walk.by_ref() {
            if found.kind == *b"moov" {
                file.read_movie(found.body);
            }
        }
        file.is_whole = !walk.is_cut;
        file
    }

    /// Whether it has pictures that move. A cover is not such a track in most files, and a picture in the others.
    pub(super) fn has_video(&self) -> bool {
        self.tracks.iter().any(|track| track.handler == *b"vide")
    }

    /// Whether a track's PCM has the byte order that its name does not tell.
    pub(super) fn is_big_endian(&self, id: u32) -> bool {
        self.tracks.iter().any(|track| track.id == id && track.is_big_endian)
    }

    /// Why the file has no track that the library reads.
    pub(super) fn unread(&self) -> AudioError {
        match self.tracks.iter().find(|track| track.handler == *b"soun") {
            Some(track) => AudioError::Codec(codec_name(track.codec)),
            None => AudioError::NoSound,
        }
    }

    /// The part of a track that is played.
    ///
    /// # Errors
    /// [`AudioError::Edited`] for a track of several parts.
    pub(super) fn played(&self, id: u32) -> Result<Option<Played>, AudioError> {
        let Some(track) = self.tracks.iter().find(|track| track.id == id) else { return Ok(None) };
        let mut parts = track.edits.iter().filter(|(_, start)| *start >= 0);
        let Some((length, start)) = parts.next() else { return Ok(None) };
        if parts.next().is_some() {
            return Err(AudioError::Edited);
        }
        let seconds = |units: u64, scale: u32| (scale > 0).then(|| f64_of(units) / f64::from(scale));
        let Some(from) = seconds(start.unsigned_abs(), track.timescale) else { return Ok(None) };
        // Zero is the whole rest, in a file whose length was not known.
        let length = seconds(*length, self.timescale).filter(|length| *length > 0.0);
        Ok(Some(Played { from, length }))
    }

    fn read_movie(&mut self, movie: &[u8]) {
        for found in Boxes::new(movie) {
            match &found.kind {
                b"mvhd" => self.timescale = timescale(found.body),
                b"trak" if self.tracks.len() < TRACKS_MAX => self.tracks.push(track(found.body)),
                _ => {}
            }
        }
    }
}

fn track(content: &[u8]) -> Mp4Track {
    let mut track = Mp4Track::default();
    for found in Boxes::new(content) {
        match &found.kind {
            b"tkhd" => track.id = u32_at(found.body, if is_long(found.body) { 20 } else { 12 }).unwrap_or(0),
            b"edts" => {
                track.edits =
                    Boxes::new(found.body).find(|list| list.kind == *b"elst").map(edits).unwrap_or_default()
            }
            b"mdia" => read_media(found.body, &mut track),
            _ => {}
        }
    }
    track
}

fn read_media(media: &[u8], track: &mut Mp4Track) {
    for found in Boxes::new(media) {
        match &found.kind {
            b"mdhd" => track.timescale = timescale(found.body),
            b"hdlr" => track.handler = bytes_at(found.body, 8).unwrap_or_default(),
            b"minf" => {
                let table = Boxes::new(found.body).find(|table| table.kind == *b"stbl");
                let entry =
                    table.and_then(|table| Boxes::new(table.body).find(|entry| entry.kind == *b"stsd"));
                let entry = entry.and_then(|entry| Boxes::new(entry.body.get(8..)?).next());
                track.codec = entry.as_ref().map(|entry| entry.kind).unwrap_or_default();
                track.is_big_endian = entry.is_some_and(|entry| is_big_endian(&entry));
            }
            _ => {}
        }
    }
}

/// Whether a sample entry of QuickTime's old kinds of PCM is big-endian, which it is unless a box says otherwise.
fn is_big_endian(entry: &Found<'_>) -> bool {
    const HEAD: usize = 28;
    const HEAD_1: usize = 44;
    if !matches!(&entry.kind, b"in24" | b"in32" | b"fl32" | b"fl64") {
        return false;
    }
    let version: [u8; 2] = bytes_at(entry.body, 8).unwrap_or_default();
    let children = entry.body.get(if version == [0, 0] { HEAD } else { HEAD_1 }..).unwrap_or_default();
    let wave = Boxes::new(children).find(|child| child.kind == *b"wave");
    let order = wave.and_then(|wave| Boxes::new(wave.body).find(|child| child.kind == *b"enda"));
    let is_little: Option<[u8; 2]> = order.and_then(|order| bytes_at(order.body, 0));
    is_little.is_none_or(|is_little| is_little == [0, 0])
}

fn edits(list: Found<'_>) -> Vec<(u64, i64)> {
    let count = usize::try_from(u32_at(list.body, 4).unwrap_or(0)).unwrap_or(usize::MAX).min(EDITS_KEPT);
    let entry = |n: usize| {
        if is_long(list.body) {
            let at = n.saturating_mul(20).saturating_add(8);
            Some((u64_at(list.body, at)?, u64_at(list.body, at.saturating_add(8))?.cast_signed()))
        } else {
            let at = n.saturating_mul(12).saturating_add(8);
            let start = u32_at(list.body, at.saturating_add(4))?.cast_signed();
            Some((u32_at(list.body, at)?.into(), start.into()))
        }
    };
    (0..count).map_while(entry).collect()
}

/// The units a second of a header box, `mvhd` or `mdhd`.
fn timescale(body: &[u8]) -> u32 {
    u32_at(body, if is_long(body) { 20 } else { 12 }).unwrap_or(0)
}

/// Version 1 of a box has times of 64 bits.
fn is_long(body: &[u8]) -> bool {
    body.first() == Some(&1)
}

fn codec_name(entry: [u8; 4]) -> &'static str {
    match &entry {
        b"samr" => "AMR",
        b"sawb" | b"sawp" => "AMR-WB",
        b"ac-3" => "AC-3",
        b"ec-3" => "E-AC-3",
        b"alaw" => "A-law in MP4",
        b"ulaw" => "mu-law in MP4",
        b"ima4" => "IMA ADPCM in MP4",
        b"sqcp" => "QCELP",
        b"sevc" => "EVRC",
        b"agsm" => "GSM 6.10",
        b"QDM2" | b"QDMC" => "QDesign",
        b"enca" | b"drms" => "an encrypted one",
        b"mp4a" => "a form of MPEG-4 audio that precall does not know",
        _ => "one that precall does not know",
    }
}

/// The configuration of the AAC-LC core. HE-AAC is such a core, and data from which a decoder adds what lies above the
/// core's band. A telephone has no such band.
///
/// # Errors
/// [`AudioError::Codec`] for other kinds of MPEG-4 audio.
pub(super) fn core_config(config: &[u8]) -> Result<[u8; 2], AudioError> {
    const LC: u32 = 2;
    let unknown = || AudioError::Codec("AAC with a configuration that precall does not know");
    let mut bits = Bits { content: config, at: 0 };
    let kind = bits.object_type().ok_or_else(unknown)?;
    let rate = bits.read(4).filter(|rate| *rate < 13).ok_or_else(unknown)?;
    let channels = bits.read(4).ok_or_else(unknown)?;
    let core = match kind {
        5 | 29 => {
            let rate = bits.read(4).ok_or_else(unknown)?;
            if rate == 15 {
                bits.read(24).ok_or_else(unknown)?;
            }
            bits.object_type().ok_or_else(unknown)?
        }
        kind => kind,
    };
    match core {
        LC => {}
        1 => return Err(AudioError::Codec("AAC Main")),
        3 => return Err(AudioError::Codec("AAC SSR")),
        4 => return Err(AudioError::Codec("AAC LTP")),
        23 => return Err(AudioError::Codec("AAC-LD")),
        36 => return Err(AudioError::Codec("MPEG-4 ALS")),
        39 => return Err(AudioError::Codec("AAC-ELD")),
        42 => return Err(AudioError::Codec("xHE-AAC")),
        _ => return Err(unknown()),
    }
    if channels != 1 && channels != 2 {
        return Err(AudioError::Codec("AAC with more than two channels"));
    }
    // Frames of 960 samples, and a core of another stream.
    if bits.read(2).ok_or_else(unknown)? != 0 {
        return Err(unknown());
    }
    let word = u16::try_from(LC << 11 | rate << 7 | channels << 3).map_err(|_| unknown())?;
    Ok(word.to_be_bytes())
}

struct Bits<'c> {
    content: &'c [u8],
    at: usize,
}

impl Bits<'_> {
    fn read(&mut self, count: u32) -> Option<u32> {
        let mut value = 0;
        for _ in 0..count {
            let byte = self.content.get(self.at / 8)?;
            value = value << 1 | u32::from(byte >> (7 - self.at % 8) & 1);
            self.at = self.at.checked_add(1)?;
        }
        Some(value)
    }

    fn object_type(&mut self) -> Option<u32> {
        match self.read(5)? {
            31 => self.read(6)?.checked_add(32),
            kind => Some(kind),
        }
    }
}

struct Found<'c> {
    kind: [u8; 4],
    body: &'c [u8],
}

/// The boxes of one level.
struct Boxes<'c> {
    rest: &'c [u8],
    count: usize,
    /// The last box ends behind the content.
    is_cut: bool,
}

impl<'c> Boxes<'c> {
    fn new(content: &'c [u8]) -> Self {
        Self { rest: content, count: 0, is_cut: false }
    }
}

impl<'c> Iterator for Boxes<'c> {
    type Item = Found<'c>;

    fn next(&mut self) -> Option<Found<'c>> {
        self.count = self.count.checked_add(1).filter(|count| *count <= BOXES_MAX)?;
        let (size, kind) = (u32_at(self.rest, 0)?, bytes_at(self.rest, 4)?);
        let (head, size) = match size {
            0 => (8, self.rest.len()),
            1 => (16, usize::try_from(u64_at(self.rest, 8)?).unwrap_or(usize::MAX)),
            size => (8, usize::try_from(size).unwrap_or(usize::MAX)),
        };
        if size < head {
            self.rest = &[];
            return None;
        }
        self.is_cut = size > self.rest.len();
        let (found, rest) = self.rest.split_at(size.min(self.rest.len()));
        self.rest = rest;
        Some(Found { kind, body: found.get(head..).unwrap_or_default() })
    }
}

fn bytes_at<const N: usize>(content: &[u8], at: usize) -> Option<[u8; N]> {
    content.get(at..)?.first_chunk().copied()
}

fn u32_at(content: &[u8], at: usize) -> Option<u32> {
    bytes_at(content, at).map(u32::from_be_bytes)
}

fn u64_at(content: &[u8], at: usize) -> Option<u64> {
    bytes_at(content, at).map(u64::from_be_bytes)
}

#[allow(clippy::cast_precision_loss)] // A time; 2^53 units are years.
fn f64_of(number: u64) -> f64 {
    number as f64
}
