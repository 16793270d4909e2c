//! The one table of recording formats, for prompts, music and voice samples: what precall reads, and what it knows and
//! refuses with advice. A format is recognised by its content; the file's name does not matter.

use precall_providers::elevenlabs::SampleFormat;

use super::audio_error::AudioError;

#[cfg(test)]
mod tests;

/// Maximum offset of the first MP3 frame. Some recorders write other data before it.
const MP3_SEARCH_BYTES: usize = 4096;
/// A file has one ID3 tag; a few tools write a second one.
const TAGS_MAX: usize = 4;
/// A tag without a frame behind it.
const TAG_HEAD: usize = 10;

/// A format that precall reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordingFormat {
    /// RIFF, RF64 or BW64 WAVE: PCM, float, A-law, mu-law, IMA or Microsoft ADPCM.
    Wav,
    /// MPEG layer III.
    Mp3,
    /// MPEG layer II.
    Mp2,
    /// FLAC.
    Flac,
    /// Vorbis, Opus or FLAC in Ogg.
    Ogg,
    /// AAC, ALAC, Opus, MP3 or FLAC in MP4, M4A, MOV or 3GP.
    Mp4,
    /// Opus or Vorbis in WebM, and what else is read in Matroska.
    WebM,
    /// AAC without a container (ADTS).
    Aac,
    /// AIFF and AIFC.
    Aiff,
    /// Core Audio Format.
    Caf,
}

impl RecordingFormat {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Wav,
        Self::Mp3,
        Self::Mp2,
        Self::Flac,
        Self::Ogg,
        Self::Mp4,
        Self::WebM,
        Self::Aac,
        Self::Aiff,
        Self::Caf,
    ];

    /// The name, which is also the file extension of an upload.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Wav => "wav",
            Self::Mp3 => "mp3",
            Self::Mp2 => "mp2",
            Self::Flac => "flac",
            Self::Ogg => "ogg",
            Self::Mp4 => "m4a",
            Self::WebM => "webm",
            Self::Aac => "aac",
            Self::Aiff => "aiff",
            Self::Caf => "caf",
        }
    }

    /// Media type of a stored file.
    #[must_use]
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Wav => "audio/wav",
            Self::Mp3 | Self::Mp2 => "audio/mpeg",
            Self::Flac => "audio/flac",
            Self::Ogg => "audio/ogg",
            Self::Mp4 => "audio/mp4",
            Self::WebM => "audio/webm",
            Self::Aac => "audio/aac",
            Self::Aiff => "audio/aiff",
            Self::Caf => "audio/x-caf",
        }
    }

    /// The format for ElevenLabs, with a codec that is common in it; `None` when a sample has to be sent as WAV.
    #[must_use]
    pub fn as_sample(self) -> Option<SampleFormat> {
        match self {
            Self::Wav => Some(SampleFormat::Wav),
            Self::Mp3 => Some(SampleFormat::Mp3),
            Self::Flac => Some(SampleFormat::Flac),
            Self::Ogg => Some(SampleFormat::Ogg),
            Self::Mp4 => Some(SampleFormat::M4a),
            Self::WebM => Some(SampleFormat::WebM),
            Self::Mp2 | Self::Aac | Self::Aiff | Self::Caf => None,
        }
    }
}

/// A known format that precall does not read.
struct Refused {
    magic: &'static [u8],
    name: &'static str,
    extension: &'static str,
}

const REFUSED: &[Refused] = &[
    Refused { magic: b"#!AMR-WB", name: "AMR-WB", extension: "awb" },
    Refused { magic: b"#!AMR", name: "AMR", extension: "amr" },
    Refused { magic: b"#!SILK", name: "SILK", extension: "silk" },
    Refused { magic: b"\x02#!SILK", name: "SILK", extension: "silk" },
    Refused { magic: b"#!EVS", name: "EVS", extension: "evs" },
    Refused { magic: b".snd", name: "AU (Sun)", extension: "au" },
    Refused { magic: b"riff\x2e\x91\xcf\x11", name: "Wave64", extension: "w64" },
    Refused { magic: b"RIFX", name: "RIFX (big-endian WAV)", extension: "wav" },
    Refused { magic: b"ADIF", name: "AAC with an ADIF header", extension: "aac" },
    Refused { magic: b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", name: "WMA", extension: "wma" },
    Refused { magic: b"MAC ", name: "Monkey's Audio", extension: "ape" },
    Refused { magic: b"wvpk", name: "WavPack", extension: "wv" },
    Refused { magic: b"TTA1", name: "True Audio", extension: "tta" },
    Refused { magic: b"MPCK", name: "Musepack", extension: "mpc" },
    Refused { magic: b"MP+", name: "Musepack", extension: "mpc" },
    Refused { magic: b"FLV\x01", name: "Flash video", extension: "flv" },
    Refused { magic: b"\x00\x00\x01\xba", name: "MPEG video", extension: "mpg" },
    Refused { magic: b".RMF", name: "RealMedia", extension: "rm" },
    Refused { magic: b".ra\xfd", name: "RealAudio", extension: "ra" },
    Refused { magic: b"Creative Voice File", name: "Creative Voice", extension: "voc" },
    Refused { magic: b"NIST_1A", name: "NIST SPHERE", extension: "sph" },
    Refused { magic: b"DSD ", name: "DSD", extension: "dsf" },
    Refused { magic: b"\x0b\x77", name: "AC-3", extension: "ac3" },
    Refused { magic: b"\x7f\xfe\x80\x01", name: "DTS", extension: "dts" },
];

/// Files that are no recordings, as people upload them by mistake.
const OTHERWISE: &[(&[u8], &str)] = &[
    (b"MThd", "MIDI, which holds notes and no sound: play it with a synthesizer and record that"),
    (b"PK\x03\x04", "a ZIP archive: unpack it, and use the recording in it"),
    (b"\x1f\x8b", "a gzip archive: unpack it, and use the recording in it"),
    (b"Rar!", "a RAR archive: unpack it, and use the recording in it"),
    (b"7z\xbc\xaf", "a 7-Zip archive: unpack it, and use the recording in it"),
    (b"%PDF", "a PDF document: use a recording"),
    (b"\x89PNG", "a picture: use a recording"),
    (b"\xff\xd8\xff", "a picture: use a recording"),
    (b"<!doctype", "a web page: download the recording itself"),
    (b"<html", "a web page: download the recording itself"),
];

/// Recognises the format, and says where the sound begins: behind ID3 tags, and behind noise before an MP3.
///
/// # Errors
/// [`AudioError::Container`] for a known format that precall does not read, [`AudioError::Otherwise`] for a known file
/// that is no recording, else [`AudioError::NotAudio`].
pub fn recognise(content: &[u8]) -> Result<(RecordingFormat, usize), AudioError> {
    let start = after_tags(content);
    let rest = content.get(start..).unwrap_or_default();
    if let Some(format) = at_once(rest) {
        return Ok((format, start));
    }
    if let Some(refused) = REFUSED.iter().find(|refused| rest.starts_with(refused.magic)) {
        return Err(AudioError::Container { name: refused.name, extension: refused.extension });
    }
    let is_otherwise =
        |magic: &[u8]| rest.get(..magic.len()).is_some_and(|head| head.eq_ignore_ascii_case(magic));
    if let Some((_, what)) = OTHERWISE.iter().find(|(magic, _)| is_otherwise(magic)) {
        return Err(AudioError::Otherwise(what));
    }
    if let Some(refused) = refused_by_structure(rest) {
        return Err(refused);
    }
    if start > 0 {
        // A tag and then too little to recognise: what else is tagged so?
        return Ok((RecordingFormat::Mp3, start));
    }
    let is_followed = |start: &usize| {
        let frame = content.get(*start..).unwrap_or_default();
        let next = mpeg_frame(frame).and_then(|(_, length)| frame.get(length..));
        next.is_some_and(|next| mpeg_frame(next).is_some())
    };
    let start = (1..MP3_SEARCH_BYTES.min(content.len())).find(is_followed).ok_or(AudioError::NotAudio)?;
    let (format, _) = content.get(start..).and_then(mpeg_frame).ok_or(AudioError::NotAudio)?;
    Ok((format, start))
}

fn at_once(content: &[u8]) -> Option<RecordingFormat> {
    let at = |offset: usize, magic: &[u8]| content.get(offset..).is_some_and(|rest| rest.starts_with(magic));
    if (at(0, b"RIFF") || at(0, b"RF64") || at(0, b"BW64")) && at(8, b"WAVE") {
        return Some(RecordingFormat::Wav);
    }
    if at(0, b"FORM") && (at(8, b"AIFF") || at(8, b"AIFC")) {
        return Some(RecordingFormat::Aiff);
    }
    let table: [(usize, &[u8], RecordingFormat); 5] = [
        (0, b"fLaC", RecordingFormat::Flac),
        (0, b"OggS", RecordingFormat::Ogg),
        (4, b"ftyp", RecordingFormat::Mp4),
        (0, b"\x1a\x45\xdf\xa3", RecordingFormat::WebM),
        (0, b"caff", RecordingFormat::Caf),
    ];
    let known = table.iter().find(|(offset, magic, _)| at(*offset, magic)).map(|(_, _, format)| *format);
    known.or_else(|| {
        if adts_frame_bytes(content).is_some() {
            return Some(RecordingFormat::Aac);
        }
        mpeg_frame(content).map(|(format, _)| format)
    })
}

fn refused_by_structure(content: &[u8]) -> Option<AudioError> {
    const TS_PACKET: usize = 188;
    const GSM_FRAME: usize = 33;
    const GSM_FRAMES: usize = 8;
    let at = |offset: usize, magic: &[u8]| content.get(offset..).is_some_and(|rest| rest.starts_with(magic));
    let refused = |name, extension| Some(AudioError::Container { name, extension });
    if at(0, b"RIFF") && at(8, b"AVI ") {
        return refused("AVI", "avi");
    }
    if at(0, b"FORM") && at(8, b"8SVX") {
        return refused("8SVX", "8svx");
    }
    if at(0, b"G") && at(TS_PACKET, b"G") && at(2 * TS_PACKET, b"G") {
        return refused("An MPEG transport stream", "ts");
    }
    let starts =
        |place: usize, mask: u8, bits: u8| content.get(place).is_some_and(|byte| byte & mask == bits);
    if starts(0, 0xff, 0x56) && starts(1, 0xe0, 0xe0) {
        return refused("AAC in LATM", "latm");
    }
    if (0..GSM_FRAMES).all(|frame| starts(frame * GSM_FRAME, 0xf0, 0xd0)) {
        return refused("GSM without a header", "gsm");
    }
    if at(4, b"moov") || at(4, b"mdat") || at(4, b"wide") {
        return refused("QuickTime without a file type", "mov");
    }
    None
}

/// The offset behind all ID3v2 tags at the start.
fn after_tags(content: &[u8]) -> usize {
    let mut start = 0_usize;
    for _ in 0..TAGS_MAX {
        let Some([b'I', b'D', b'3', _, _, flags, sizes @ ..]) = content.get(start..) else { break };
        let Some(sizes) = sizes.get(..4) else { break };
        let size = sizes.iter().fold(0_usize, |size, byte| size << 7 | usize::from(byte & 0x7f));
        let footer = if flags & 0x10 == 0 { 0 } else { TAG_HEAD };
        start = start.saturating_add(TAG_HEAD).saturating_add(size).saturating_add(footer);
    }
    start.min(content.len())
}

/// Format and size in bytes of the MPEG layer II or III frame that starts here; `None` if there is none, or if its bit
/// rate is free.
pub(super) fn mpeg_frame(content: &[u8]) -> Option<(RecordingFormat, usize)> {
    const KBITS_3: [usize; 14] = [32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320];
    const KBITS_2: [usize; 14] = [32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384];
    const KBITS_LOW: [usize; 14] = [8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160];
    let [0xff, kind, rates, ..] = content else { return None };
    if kind & 0b1110_0000 != 0b1110_0000 {
        return None;
    }
    let format = match kind & 0b0000_0110 {
        0b0000_0010 => RecordingFormat::Mp3,
        0b0000_0100 => RecordingFormat::Mp2,
        _ => return None,
    };
    let is_layer_2 = format == RecordingFormat::Mp2;
    // Samples per frame / 8, because the frame size is in bytes.
    let (kbits, scale, halved) = match kind & 0b0001_1000 {
        0b0001_1000 => (if is_layer_2 { KBITS_2 } else { KBITS_3 }, 144, 1),
        0b0001_0000 => (KBITS_LOW, if is_layer_2 { 144 } else { 72 }, 2),
        0b0000_0000 => (KBITS_LOW, if is_layer_2 { 144 } else { 72 }, 4),
        _ => return None,
    };
    let hertz: usize = match rates & 0b0000_1100 {
        0b0000_0000 => 44_100,
        0b0000_0100 => 48_000,
        0b0000_1000 => 32_000,
        _ => return None,
    };
    let kbits = kbits.get(usize::from(rates >> 4).checked_sub(1)?)?;
    let padding = usize::from(rates >> 1 & 1);
    let bits = kbits.saturating_mul(1_000).saturating_mul(scale);
    bits.checked_div(hertz / halved).map(|bytes| (format, bytes.saturating_add(padding)))
}

/// Size in bytes of the ADTS frame that starts here.
pub(super) fn adts_frame_bytes(content: &[u8]) -> Option<usize> {
    const HEAD: usize = 7;
    let [0xff, kind, _, high, middle, low, _, ..] = content else { return None };
    if kind & 0b1111_0110 != 0b1111_0000 {
        return None;
    }
    let bytes = usize::from(high & 0b11) << 11 | usize::from(*middle) << 3 | usize::from(low >> 5);
    (bytes > HEAD).then_some(bytes)
}
