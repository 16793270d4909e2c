//! Recordings of conversations as files (`STORE_RECORDINGS`). The body goes to a temporary file. The audio is taken out
//! of it after the signature is checked.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::engine::general_purpose::STANDARD;
use base64::read::DecoderReader;
use precall_call::ConversationId;
use precall_providers::elevenlabs::{AudioHead, audio_head_of};
use tokio::io::AsyncWriteExt as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use uuid::Uuid;

use crate::http::error::{Code, Problem};

/// Recordings received at once. Further ones get 503.
const AT_ONCE: usize = 8;
const FIELD: &[u8] = b"\"full_audio\"";
const ID_MAX: usize = 128;

/// The folder of recordings, and the limit on receiving them.
pub(crate) struct Recordings {
    folder: PathBuf,
    room: Arc<Semaphore>,
}

/// A recording that is being received. Dropping it removes the temporary file.
pub(crate) struct Incoming {
    folder: PathBuf,
    path: PathBuf,
    file: tokio::fs::File,
    _permit: OwnedSemaphorePermit,
}

impl Recordings {
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self { folder, room: Arc::new(Semaphore::new(AT_ONCE)) }
    }

    /// Begins to receive a recording.
    ///
    /// # Errors
    /// `too_many_at_once`, or `cannot_keep` when the file cannot be made.
    pub(crate) async fn begin(&self) -> Result<Box<Incoming>, Problem> {
        let room = Arc::clone(&self.room).try_acquire_owned();
        let permit = room.map_err(|_| Problem::of(Code::TooManyAtOnce))?;
        let folder = self.folder.clone();
        let path = folder.join(format!(".{}", Uuid::now_v7()));
        let made = path.clone();
        let file = blocking(move || {
            DirBuilder::new().recursive(true).mode(0o700).create(made.parent().unwrap_or(Path::new(".")))?;
            OpenOptions::new().create_new(true).read(true).write(true).mode(0o600).open(made)
        });
        let file = tokio::fs::File::from_std(file.await.map_err(|_| Problem::of(Code::CannotKeep))?);
        Ok(Box::new(Incoming { folder, path, file, _permit: permit }))
    }
}

impl Incoming {
    /// Writes the next bytes.
    pub(crate) async fn write(&mut self, bytes: &[u8]) -> Result<(), Problem> {
        self.file.write_all(bytes).await.map_err(|_| Problem::of(Code::CannotKeep))
    }

    /// The fields of the whole body, without the audio.
    pub(crate) async fn head(&mut self) -> Result<AudioHead, Problem> {
        self.file.flush().await.map_err(|_| Problem::of(Code::CannotKeep))?;
        let path = self.path.clone();
        let head = blocking(move || Ok(audio_head_of(BufReader::new(File::open(path)?))?)).await;
        head.map_err(|_| Problem::new(Code::BadJson, "the body is not valid JSON"))
    }

    /// Stores the audio as `<conversation id>.mp3`. A repeated recording replaces itself.
    pub(crate) async fn store(mut self, conversation: &ConversationId) -> Result<(), Problem> {
        let id = conversation.as_str();
        let is_name = id.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'));
        if id.is_empty() || id.len() > ID_MAX || !is_name {
            return Err(Problem::new(Code::BadField, "data.conversation_id cannot name a file"));
        }
        self.file.flush().await.map_err(|_| Problem::of(Code::CannotKeep))?;
        let (from, to) = (self.path.clone(), self.folder.join(format!("{id}.mp3")));
        let audio = from.with_extension("mp3");
        let extracted = blocking(move || {
            let done = extract_audio(&from, &audio).and_then(|()| fs::rename(&audio, to));
            if done.is_err() {
                let _ = fs::remove_file(&audio);
            }
            done
        });
        extracted.await.map_err(|error| match error.kind() {
            io::ErrorKind::InvalidData => Problem::new(Code::BadField, "data.full_audio is not base64"),
            _ => Problem::of(Code::CannotKeep),
        })
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}

fn extract_audio(body: &Path, audio: &Path) -> io::Result<()> {
    let mut reader = BufReader::new(File::open(body)?);
    find_value(&mut reader)?;
    let mut out = OpenOptions::new().create_new(true).write(true).mode(0o600).open(audio)?;
    io::copy(&mut DecoderReader::new(Text(reader), &STANDARD), &mut out)?;
    out.flush()?;
    out.sync_all()
}

/// Reads up to the first character of the field's value.
fn find_value(reader: &mut impl BufRead) -> io::Result<()> {
    let mut matched = 0_usize;
    let missing = || io::Error::new(io::ErrorKind::InvalidData, "no full_audio");
    while matched < FIELD.len() {
        let byte = next(reader)?.ok_or_else(missing)?;
        // The field name has quotation marks only at its beginning and its end.
        matched = match FIELD.get(matched) {
            Some(expected) if *expected == byte => matched.saturating_add(1),
            _ => usize::from(byte == b'"'),
        };
    }
    loop {
        match next(reader)?.ok_or_else(missing)? {
            b'"' => return Ok(()),
            b':' | b' ' | b'\t' | b'\r' | b'\n' => {}
            _ => return Err(missing()),
        }
    }
}

fn next(reader: &mut impl Read) -> io::Result<Option<u8>> {
    let mut byte = [0];
    Ok((reader.read(&mut byte)? == 1).then_some(byte[0]))
}

/// The characters of a JSON string. Base64 needs no escapes, but `/` may be escaped.
struct Text<R>(R);

impl<R: BufRead> Read for Text<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let mut given = 0_usize;
        for place in into {
            let byte = loop {
                match self.0.fill_buf()?.first().copied() {
                    None => return Err(io::ErrorKind::UnexpectedEof.into()),
                    Some(b'"') => return Ok(given),
                    Some(b'\\') => self.0.consume(1),
                    Some(byte) => break byte,
                }
            };
            self.0.consume(1);
            *place = byte;
            given = given.saturating_add(1);
        }
        Ok(given)
    }
}

#[cfg(test)]
mod tests;
