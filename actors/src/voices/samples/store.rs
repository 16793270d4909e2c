//! The one door to samples, wherever they lie.

use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use precall_base::clock;
use precall_providers::elevenlabs::VoiceSample;
use precall_providers::s3::S3Settings;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::check::check;
use super::local::SampleFolder;
use super::reference::Place;
use super::s3::SampleBucket;
use super::{SampleDeleted, SampleError, SampleMark, StoredSample};

/// Reading with checking, or checking with writing, or deleting with all versions; waiting for its turn included.
const WITHIN: Duration = Duration::from_secs(30);
/// A look without reading.
const LOOK_WITHIN: Duration = Duration::from_secs(5);
/// Samples that are in memory and decoded at once, each up to 20 MiB and twice as much sound; further ones wait for their turn.
const AT_ONCE: usize = 4;
/// Where uploads go.
const UPLOADS: &str = "uploads/";
/// Names of accounts in paths: what is not among these is written as its code.
const KEPT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_');
/// A name in a folder may have 255 bytes.
const ACCOUNT_BYTES_MAX: usize = 200;

/// Where uploads are put; what is read may lie in either place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UploadPlace {
    /// Into `LOCAL_VOICE_SAMPLES_PATH`.
    Folder,
    /// Into the bucket.
    Bucket,
}

/// Samples of one folder and of one bucket. Cheap to clone; usable from every thread that runs actix.
#[derive(Clone, Debug)]
pub struct SampleStore {
    folder: SampleFolder,
    bucket: Option<SampleBucket>,
    uploads: UploadPlace,
    turns: Arc<Semaphore>,
}

impl SampleStore {
    /// The folder need not exist yet. Without a bucket its references are refused.
    #[must_use]
    pub fn new(folder: impl Into<PathBuf>, bucket: Option<S3Settings>, uploads: UploadPlace) -> Self {
        Self {
            folder: SampleFolder::new(folder.into()),
            bucket: bucket.map(SampleBucket::new),
            uploads,
            turns: Arc::new(Semaphore::new(AT_ONCE)),
        }
    }

    /// The sample that `voice_sample_url` names, read whole and listened to.
    ///
    /// # Errors
    /// Why it cannot be used; [`SampleError::TooSlow`] after 30 s.
    pub async fn read(&self, reference: &str) -> Result<VoiceSample, SampleError> {
        within(WITHIN, async {
            let place = self.place(reference)?;
            let turn = self.turn().await?;
            let content = match place {
                Place::Local(path) => {
                    let folder = self.folder.clone();
                    blocking(move || folder.read(&path)).await?
                }
                Place::Object(key) => self.bucket()?.read(&key, clock::now()).await?,
            };
            Ok(listened_to(content, turn).await?.0)
        })
        .await
    }

    /// By what it would be seen that another sample lies there now, without reading it.
    ///
    /// # Errors
    /// Why it cannot be seen; [`SampleError::TooSlow`] after 5 s.
    pub async fn mark(&self, reference: &str) -> Result<SampleMark, SampleError> {
        within(LOOK_WITHIN, async {
            match self.place(reference)? {
                Place::Local(path) => {
                    let folder = self.folder.clone();
                    blocking(move || folder.mark(&path)).await
                }
                Place::Object(key) => self.bucket()?.mark(&key, clock::now()).await,
            }
        })
        .await
    }

    /// Checks an upload and keeps it under its own hash, so that the same upload twice is one sample, which callers of an
    /// account may share: before such a sample is deleted, ask whether another mapping refers to it.
    ///
    /// # Errors
    /// Why it is not kept; [`SampleError::TooSlow`] after 30 s, when it may have been.
    pub async fn put(&self, account: &str, content: Bytes) -> Result<StoredSample, SampleError> {
        within(WITHIN, async {
            let account = utf8_percent_encode(account, KEPT).to_string();
            if account.is_empty() || account.len() > ACCOUNT_BYTES_MAX {
                return Err(SampleError::Account);
            }
            let (sample, _turn) = listened_to(content, self.turn().await?).await?;
            let VoiceSample { format, content, sha256, duration } = sample;
            let (sha256, bytes) = (hex::encode(sha256), content.len());
            let name = format!("{UPLOADS}{account}/{sha256}.{}", format.name());
            let reference = match self.uploads {
                UploadPlace::Folder => {
                    let (folder, now) = (self.folder.clone(), clock::now());
                    blocking(move || folder.write(&name, &content, now).map(|()| name)).await?
                }
                UploadPlace::Bucket => {
                    self.bucket()?.write(&name, content, format.content_type(), clock::now()).await?
                }
            };
            Ok(StoredSample { reference, sha256, format: format.name(), bytes, duration })
        })
        .await
    }

    /// Deletes the file, or the object with all its versions and delete markers.
    ///
    /// # Errors
    /// Why it may still be there; [`SampleError::TooSlow`] after 30 s. To be asked again.
    pub async fn delete(&self, reference: &str) -> Result<SampleDeleted, SampleError> {
        within(WITHIN, async {
            match self.place(reference)? {
                Place::Local(path) => {
                    let folder = self.folder.clone();
                    blocking(move || folder.delete(&path)).await
                }
                Place::Object(key) => self.bucket()?.delete(&key, clock::now()).await,
            }
        })
        .await
    }

    /// Whether a reference is one that [`Self::put`] answered: a file of ours, not one that an administrator laid there.
    #[must_use]
    pub fn is_upload(&self, reference: &str) -> bool {
        match self.place(reference) {
            Ok(Place::Local(path)) => path.starts_with(UPLOADS),
            Ok(Place::Object(key)) => key.starts_with(UPLOADS),
            Err(_) => false,
        }
    }

    async fn turn(&self) -> Result<OwnedSemaphorePermit, SampleError> {
        Arc::clone(&self.turns).acquire_owned().await.map_err(|_| SampleError::TooSlow)
    }

    fn place(&self, reference: &str) -> Result<Place, SampleError> {
        Place::of(reference, self.bucket.as_ref().map(SampleBucket::settings))
    }

    fn bucket(&self) -> Result<&SampleBucket, SampleError> {
        self.bucket.as_ref().ok_or(SampleError::NoBucket)
    }
}

async fn within<T>(
    limit: Duration,
    work: impl Future<Output = Result<T, SampleError>>,
) -> Result<T, SampleError> {
    tokio::time::timeout(limit, work).await.unwrap_or(Err(SampleError::TooSlow))
}

/// The turn goes with the work: whoever gives up waiting for a thread does not end what runs on it.
async fn listened_to(
    content: Bytes,
    turn: OwnedSemaphorePermit,
) -> Result<(VoiceSample, OwnedSemaphorePermit), SampleError> {
    blocking(move || check(content).map(|sample| (sample, turn))).await
}

/// A thread that was lost is a disk that gives nothing.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, SampleError> + Send + 'static,
) -> Result<T, SampleError> {
    let lost = Err(SampleError::Unreadable(std::io::ErrorKind::Interrupted));
    tokio::task::spawn_blocking(work).await.unwrap_or(lost)
}
