//! Samples in one bucket.

use bytes::Bytes;
use precall_call::At;
use precall_providers::s3::{Objects, S3Settings};

use super::check::SAMPLE_BYTES_MAX;
use super::{SampleDeleted, SampleError, SampleMark};

/// Maximum length of an ETag or version in a mark.
const MARK_PART_MAX: usize = 200;

/// The bucket that samples may come from (`S3_BUCKET_NAME`).
#[derive(Clone, Debug)]
pub(crate) struct SampleBucket(Objects);

impl SampleBucket {
    pub(crate) fn new(settings: S3Settings) -> Self {
        Self(Objects::new(settings))
    }

    pub(crate) fn settings(&self) -> &S3Settings {
        self.0.settings()
    }

    pub(crate) async fn read(&self, key: &str, now: At) -> Result<Bytes, SampleError> {
        let bytes_max = usize::try_from(SAMPLE_BYTES_MAX).unwrap_or(usize::MAX);
        Ok(self.0.read(key, bytes_max, now).await?)
    }

    pub(crate) async fn mark(&self, key: &str, now: At) -> Result<SampleMark, SampleError> {
        let object = self.0.head(key, now).await?;
        let part = |text: &str| -> String {
            text.chars().filter(char::is_ascii_graphic).take(MARK_PART_MAX).collect()
        };
        let version = object.version.as_deref().map(part).unwrap_or_default();
        Ok(SampleMark::new(format!("s3:{}:{version}", part(&object.etag))))
    }

    /// Writes an object and returns its reference.
    pub(crate) async fn write(
        &self,
        key: &str,
        content: Bytes,
        content_type: &str,
        now: At,
    ) -> Result<String, SampleError> {
        self.0.write(key, content, content_type, now).await?;
        Ok(format!("s3://{}/{key}", self.settings().bucket_name()))
    }

    pub(crate) async fn delete(&self, key: &str, now: At) -> Result<SampleDeleted, SampleError> {
        let deleted = self.0.delete_all_versions(key, now).await?;
        Ok(if deleted == 0 { SampleDeleted::WasGone } else { SampleDeleted::Now })
    }
}
