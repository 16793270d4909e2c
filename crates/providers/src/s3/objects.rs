//! Requests for the objects of a bucket. The caller sets the deadline: dropping a future closes its connection.

use std::cell::OnceCell;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use awc::http::Method;
use bytes::Bytes;
use jiff::Timestamp;
use precall_call::At;
use rusty_s3::S3Action;
use url::Url;

use super::error::S3Error;
use super::settings::S3Settings;
use super::versions::{Page, page_url};
use crate::http_client::HttpClient;
use crate::http_exchange::{Body, Progress, Request, Response, exchange, http_client_with};

/// Validity of a signed URL: longer than any deadline plus the difference between two clocks.
const SIGNED_FOR: Duration = Duration::from_secs(300);
const SMALL_ANSWER_BYTES_MAX: usize = 64 * 1024;
/// A page of a thousand versions.
const LIST_BYTES_MAX: usize = 4 * 1024 * 1024;
/// 50,000 versions of all objects whose names begin with the key.
const PAGES_MAX: usize = 50;

thread_local! {
    /// awc's client is bound to its thread, and each thread that reads samples needs one.
    static CLIENT: OnceCell<HttpClient> = const { OnceCell::new() };
}

/// The objects of one bucket. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Objects {
    settings: Arc<S3Settings>,
}

/// Identifies the content of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectVersion {
    /// The store's ETag, unchanged.
    pub etag: String,
    /// The version id; none in buckets without versions.
    pub version: Option<String>,
}

impl Objects {
    /// A client with these settings.
    #[must_use]
    pub fn new(settings: S3Settings) -> Self {
        Self { settings: Arc::new(settings) }
    }

    /// The settings.
    #[must_use]
    pub fn settings(&self) -> &S3Settings {
        &self.settings
    }

    /// HEAD: the object's version, without its content.
    ///
    /// # Errors
    /// [`S3Error`].
    pub async fn head(&self, key: &str, now: At) -> Result<ObjectVersion, S3Error> {
        let url = self.signed(&self.settings.bucket.head_object(Some(&self.settings.credentials), key), now);
        let answer = self.ask(Method::HEAD, url, None, SMALL_ANSWER_BYTES_MAX).await?;
        let text = |name: &str| answer.header(name).filter(|text| !text.is_empty()).map(str::to_owned);
        let etag = text("etag").ok_or(S3Error::Garbled)?;
        Ok(ObjectVersion { etag, version: text("x-amz-version-id") })
    }

    /// GET: the content, if it has at most `bytes_max` bytes.
    ///
    /// # Errors
    /// [`S3Error`].
    pub async fn read(&self, key: &str, bytes_max: usize, now: At) -> Result<Bytes, S3Error> {
        let url = self.signed(&self.settings.bucket.get_object(Some(&self.settings.credentials), key), now);
        Ok(self.ask(Method::GET, url, None, bytes_max).await?.body)
    }

    /// PUT: replaces the object, as a whole or not at all.
    ///
    /// # Errors
    /// [`S3Error`].
    pub async fn write(&self, key: &str, content: Bytes, content_type: &str, now: At) -> Result<(), S3Error> {
        let url = self.signed(&self.settings.bucket.put_object(Some(&self.settings.credentials), key), now);
        let body = Body { content_type: content_type.to_owned(), parts: VecDeque::from([content]) };
        self.ask(Method::PUT, url, Some(body), SMALL_ANSWER_BYTES_MAX).await.map(|_| ())
    }

    /// Deletes all versions and delete markers, so that the object cannot be restored. Returns their number.
    ///
    /// # Errors
    /// [`S3Error`]. Some versions may be deleted then; a repetition deletes the rest.
    pub async fn delete_all_versions(&self, key: &str, now: At) -> Result<usize, S3Error> {
        let mut deleted = 0_usize;
        // List again until nothing is found: a version may be written while others are deleted.
        for _ in 0..PAGES_MAX {
            let versions = self.versions(key, now).await?;
            if versions.is_empty() {
                return Ok(deleted);
            }
            for version in &versions {
                self.delete_version(key, version, now).await?;
                deleted = deleted.saturating_add(1);
            }
        }
        Err(S3Error::Status { status: 409, code: "new versions keep appearing".to_owned() })
    }

    async fn delete_version(&self, key: &str, version: &str, now: At) -> Result<(), S3Error> {
        let mut action = self.settings.bucket.delete_object(Some(&self.settings.credentials), key);
        action.query_mut().insert("versionId", version);
        let url = self.signed(&action, now);
        match self.ask(Method::DELETE, url, None, SMALL_ANSWER_BYTES_MAX).await {
            Ok(_) | Err(S3Error::Missing) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Ids of an object's versions and delete markers; `null` in buckets without versions.
    async fn versions(&self, key: &str, now: At) -> Result<Vec<String>, S3Error> {
        let mut found = Vec::new();
        let mut after = None;
        for _ in 0..PAGES_MAX {
            let url = page_url(&self.settings, key, after.as_ref(), timestamp(now), SIGNED_FOR);
            let answer = match self.ask(Method::GET, url, None, LIST_BYTES_MAX).await {
                Ok(answer) => answer,
                // A list always exists; a 404 means that the bucket does not.
                Err(S3Error::Missing) => return Err(S3Error::NoBucket),
                Err(error) => return Err(error),
            };
            let Page { versions, next } = Page::parse(&answer.body, key).ok_or(S3Error::Garbled)?;
            found.extend(versions);
            match next {
                // The list is sorted by name; after this key only other objects follow.
                Some(next) if next.key.as_str() <= key => after = Some(next),
                Some(_) | None => return Ok(found),
            }
        }
        // The caller deletes these, then lists again.
        Ok(found)
    }

    fn signed<'a>(&self, action: &impl S3Action<'a>, now: At) -> Url {
        action.sign_with_time(SIGNED_FOR, &timestamp(now))
    }

    async fn ask(
        &self,
        method: Method,
        url: Url,
        body: Option<Body>,
        answer_bytes_max: usize,
    ) -> Result<Response, S3Error> {
        let client =
            CLIENT.with(|cell| cell.get_or_init(|| http_client_with(&self.settings.tls_roots)).clone());
        let request = Request { endpoint: None, method, url, headers: Vec::new(), body, answer_bytes_max };
        let answer = exchange(&client, request, &Progress::new()).await?;
        if answer.is_success() { Ok(answer) } else { Err(S3Error::of_answer(&answer)) }
    }
}

fn timestamp(now: At) -> Timestamp {
    Timestamp::from_microsecond(now.0).unwrap_or(Timestamp::UNIX_EPOCH)
}
