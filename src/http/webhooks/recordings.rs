//! Recordings of conversations as files: `STORE_RECORDINGS`. What comes in goes to a file as it is, since nobody knows yet who sent
//! it; the sound is taken out of it when that is proven.

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

/// Recordings that are taken in at once; more of them are told to come again.
const AT_ONCE: usize = 8;
const FIELD: &[u8] = b"\"full_audio\"";
const ID_MAX: usize = 128;

/// See the file.
pub(crate) struct Recordings {
    folder: PathBuf,
    room: Arc<Semaphore>,
}

/// One that comes in. Unless it is stored, nothing of it is left.
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

    /// Begins to take one in.
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
    /// The next bytes.
    pub(crate) async fn write(&mut self, bytes: &[u8]) -> Result<(), Problem> {
        self.file.write_all(bytes).await.map_err(|_| Problem::of(Code::CannotKeep))
    }

    /// What the whole of it says beside the sound.
    pub(crate) async fn head(&mut self) -> Result<AudioHead, Problem> {
        self.file.flush().await.map_err(|_| Problem::of(Code::CannotKeep))?;
        let path = self.path.clone();
        let head = blocking(move || Ok(audio_head_of(BufReader::new(File::open(path)?))?)).await;
        head.map_err(|_| Problem::new(Code::BadJson, "the body is not valid JSON"))
    }

    /// Keeps the sound, under the conversation's name. A recording that comes twice is the same.
    pub(crate) async fn store(mut self, conversation: &ConversationId) -> Result<(), Problem> {
        let id = conversation.as_str();
        let is_name = id.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'));
        if id.is_empty() || id.len() > ID_MAX || !is_name {
            return Err(Problem::new(Code::BadField, "data.conversation_id cannot name a file"));
        }
        self.file.flush().await.map_err(|_| Problem::of(Code::CannotKeep))?;
        let (from, to) = (self.path.clone(), self.folder.join(format!("{id}.mp3")));
        let sound = from.with_extension("mp3");
        let taken_out = blocking(move || {
            let done = take_sound_out(&from, &sound).and_then(|()| fs::rename(&sound, to));
            if done.is_err() {
                let _ = fs::remove_file(&sound);
            }
            done
        });
        taken_out.await.map_err(|error| match error.kind() {
            io::ErrorKind::InvalidData => Problem::new(Code::BadField, "data.full_audio is no base64"),
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

fn take_sound_out(body: &Path, sound: &Path) -> io::Result<()> {
    let mut reader = BufReader::new(File::open(body)?);
    find_value(&mut reader)?;
    let mut out = OpenOptions::new().create_new(true).write(true).mode(0o600).open(sound)?;
    io::copy(&mut DecoderReader::new(Text(reader), &STANDARD), &mut out)?;
    out.flush()?;
    out.sync_all()
}

/// To the first letter of the field's value.
fn find_value(reader: &mut impl BufRead) -> io::Result<()> {
    let mut matched = 0_usize;
    let missing = || io::Error::new(io::ErrorKind::InvalidData, "no full_audio");
    while matched < FIELD.len() {
        let byte = next(reader)?.ok_or_else(missing)?;
        // The name begins with a quotation mark, and has none but at its end.
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

/// The letters of a JSON string up to its end. Base64 has none that needs an escape, but `/` may have one.
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
