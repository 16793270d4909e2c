//! Access to all samples, in the folder and in the bucket.

use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use precall_audio::prompts::recognise;
use precall_base::clock;
use precall_providers::elevenlabs::VoiceSample;
use precall_providers::s3::S3Settings;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::check::{CheckedSample, check};
use super::local::SampleFolder;
use super::reference::SampleLocation;
use super::s3::SampleBucket;
use super::verdicts::Verdicts;
use super::{SampleDeleted, SampleError, SampleMark, SampleRecording, StoredSample};

/// Time limit of a read or an upload with its check, or of a deletion, including the wait for a permit.
const WITHIN: Duration = Duration::from_secs(30);
/// Time limit for reading a mark.
const LOOK_WITHIN: Duration = Duration::from_secs(5);
/// Maximum of samples decoded at once; others wait. Each takes up to 20 MiB, plus 30 MiB of sound, and 120 MiB while it
/// is converted.
const AT_ONCE: usize = 4;
/// Prefix of uploads.
const UPLOADS: &str = "uploads/";
/// Characters of account names that are not percent-encoded in paths.
const KEPT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_');
/// A file name may have 255 bytes.
const ACCOUNT_BYTES_MAX: usize = 200;

/// Where uploads are stored. Reads work in both places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UploadPlace {
    /// In `LOCAL_VOICE_SAMPLES_PATH`.
    Folder,
    /// In the bucket.
    Bucket,
}

/// Samples in one folder and one bucket. Cheap to clone; usable on every actix thread.
#[derive(Clone, Debug)]
pub struct SampleStore {
    folder: SampleFolder,
    bucket: Option<SampleBucket>,
    uploads: UploadPlace,
    permits: Arc<Semaphore>,
    verdicts: Verdicts,
}

impl SampleStore {
    /// A store. The folder may not exist yet. Without a bucket, references to one are refused.
    #[must_use]
    pub fn new(folder: impl Into<PathBuf>, bucket: Option<S3Settings>, uploads: UploadPlace) -> Self {
        Self {
            folder: SampleFolder::new(folder.into()),
            bucket: bucket.map(SampleBucket::new),
            uploads,
            permits: Arc::new(Semaphore::new(AT_ONCE)),
            verdicts: Verdicts::default(),
        }
    }

    /// Reads and checks the sample that `voice_sample_url` names.
    ///
    /// # Errors
    /// Why it cannot be used; [`SampleError::TooSlow`] after 30 s.
    pub async fn read(&self, reference: &str) -> Result<VoiceSample, SampleError> {
        with_timeout(WITHIN, async {
            let place = self.locate(reference)?;
            let permit = self.permit().await?;
            let content = self.content(place).await?;
            let (sample, permit) = self.checked(content, permit).await?;
            blocking(move || {
                let _while_decoding = permit;
                sample.into_voice_sample()
            })
            .await
        })
        .await
    }

    /// Reads the sample that `voice_sample_url` names as it is stored, for a player. It is recognised and not decoded.
    ///
    /// # Errors
    /// Why it cannot be played; [`SampleError::TooSlow`] after 30 s.
    pub async fn recording(&self, reference: &str) -> Result<SampleRecording, SampleError> {
        with_timeout(WITHIN, async {
            let content = self.content(self.locate(reference)?).await?;
            let (format, _) = recognise(&content)?;
            Ok(SampleRecording { content, format: format.name(), content_type: format.content_type() })
        })
        .await
    }

    /// The mark of a sample, without reading the sample.
    ///
    /// # Errors
    /// Why there is no mark; [`SampleError::TooSlow`] after 5 s.
    pub async fn mark(&self, reference: &str) -> Result<SampleMark, SampleError> {
        with_timeout(LOOK_WITHIN, async {
            match self.locate(reference)? {
                SampleLocation::Local(path) => {
                    let folder = self.folder.clone();
                    blocking(move || folder.mark(&path)).await
                }
                SampleLocation::Object(key) => self.bucket()?.mark(&key, clock::wall()).await,
            }
        })
        .await
    }

    /// Checks an upload and stores it under its hash. Equal uploads of an account are one sample, which several
    /// callers may share: before a deletion, check that no other mapping refers to it.
    ///
    /// # Errors
    /// Why it was not stored; after [`SampleError::TooSlow`] (30 s) it may have been.
    pub async fn put(&self, account: &str, content: Bytes) -> Result<StoredSample, SampleError> {
        with_timeout(WITHIN, async {
            let account = utf8_percent_encode(account, KEPT).to_string();
            if account.is_empty() || account.len() > ACCOUNT_BYTES_MAX {
                return Err(SampleError::Account);
            }
            let (sample, _permit) = self.checked(content, self.permit().await?).await?;
            let CheckedSample { format, content, sha256, duration, .. } = sample;
            let (sha256, bytes) = (hex::encode(sha256), content.len());
            let name = format!("{UPLOADS}{account}/{sha256}.{}", format.name());
            let reference = match self.uploads {
                UploadPlace::Folder => {
                    let (folder, now) = (self.folder.clone(), clock::wall());
                    blocking(move || folder.write(&name, &content, now).map(|()| name)).await?
                }
                UploadPlace::Bucket => {
                    self.bucket()?.write(&name, content, format.content_type(), clock::wall()).await?
                }
            };
            Ok(StoredSample { reference, sha256, format: format.name(), bytes, duration })
        })
        .await
    }

    /// Deletes the file, or the object with all versions and delete markers.
    ///
    /// # Errors
    /// Why it may still exist; [`SampleError::TooSlow`] after 30 s. The caller must retry.
    pub async fn delete(&self, reference: &str) -> Result<SampleDeleted, SampleError> {
        with_timeout(WITHIN, async {
            match self.locate(reference)? {
                SampleLocation::Local(path) => {
                    let folder = self.folder.clone();
                    blocking(move || folder.delete(&path)).await
                }
                SampleLocation::Object(key) => self.bucket()?.delete(&key, clock::wall()).await,
            }
        })
        .await
    }

    /// Whether [`Self::put`] created this reference, and not an administrator.
    #[must_use]
    pub fn is_upload(&self, reference: &str) -> bool {
        match self.locate(reference) {
            Ok(SampleLocation::Local(path)) => path.starts_with(UPLOADS),
            Ok(SampleLocation::Object(key)) => key.starts_with(UPLOADS),
            Err(_) => false,
        }
    }

    async fn content(&self, place: SampleLocation) -> Result<Bytes, SampleError> {
        match place {
            SampleLocation::Local(path) => {
                let folder = self.folder.clone();
                blocking(move || folder.read(&path)).await
            }
            SampleLocation::Object(key) => Ok(self.bucket()?.read(&key, clock::wall()).await?),
        }
    }

    /// Checks a sample. The permit moves with the work, because the work continues if the caller stops waiting.
    async fn checked(
        &self,
        content: Bytes,
        permit: OwnedSemaphorePermit,
    ) -> Result<(CheckedSample, OwnedSemaphorePermit), SampleError> {
        let verdicts = self.verdicts.clone();
        blocking(move || check(content, &verdicts).map(|sample| (sample, permit))).await
    }

    async fn permit(&self) -> Result<OwnedSemaphorePermit, SampleError> {
        Arc::clone(&self.permits).acquire_owned().await.map_err(|_| SampleError::TooSlow)
    }

    fn locate(&self, reference: &str) -> Result<SampleLocation, SampleError> {
        SampleLocation::of(reference, self.bucket.as_ref().map(SampleBucket::settings))
    }

    fn bucket(&self) -> Result<&SampleBucket, SampleError> {
        self.bucket.as_ref().ok_or(SampleError::NoBucket)
    }
}

async fn with_timeout<T>(
    limit: Duration,
    work: impl Future<Output = Result<T, SampleError>>,
) -> Result<T, SampleError> {
    tokio::time::timeout(limit, work).await.unwrap_or(Err(SampleError::TooSlow))
}

/// Runs blocking work. A lost thread counts as an unreadable sample.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, SampleError> + Send + 'static,
) -> Result<T, SampleError> {
    let lost = Err(SampleError::Unreadable(std::io::ErrorKind::Interrupted));
    tokio::task::spawn_blocking(work).await.unwrap_or(lost)
}
