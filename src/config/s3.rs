//! The S3 bucket of the samples: all of its variables, or none.

use super::base_url::BaseUrl;
use super::kind::Kind;
use super::problem::Problems;
use super::secret::Secret;
use super::setting::Setting;
use super::value::{Complaint, FromText, Word};

/// Region of stores other than Amazon's, when none is set.
const REGION: &str = "us-east-1";

/// A bucket and its access key.
#[derive(Clone, Debug)]
pub struct S3 {
    /// Address of the store; Amazon's own in the region when unset.
    pub endpoint: Option<BaseUrl>,
    /// Region of the bucket.
    pub region: String,
    /// The only bucket that precall reads, writes or deletes in.
    pub bucket: String,
    /// Id of the access key.
    pub key_id: String,
    /// Secret of the access key.
    pub secret: Secret,
}

/// A bucket name that every store allows.
#[derive(Debug)]
pub(super) struct BucketName(String);

impl FromText for BucketName {
    const KIND: Kind = Kind::Form("bucket name");

    fn from_text(text: &str) -> Result<Self, Complaint> {
        let is_name =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'.');
        if !(3..=63).contains(&text.len()) || !text.bytes().all(is_name) || text.contains("..") {
            return Err(Complaint::new(
                "is no name of a bucket",
                "3 to 63 lower-case letters, digits, dots and hyphens, without s3:// and path",
            ));
        }
        Ok(Self(text.to_owned()))
    }
}

/// A region name. It becomes part of a host name.
#[derive(Debug)]
pub(super) struct RegionName(String);

impl FromText for RegionName {
    const KIND: Kind = Kind::Form("one word");

    fn from_text(text: &str) -> Result<Self, Complaint> {
        let is_name =
            text.len() <= 63 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if !is_name {
            return Err(Complaint::new("is no name of a region", "for example eu-central-1"));
        }
        Ok(Self(text.to_owned()))
    }
}

/// The variables of the bucket.
#[derive(Debug)]
pub(super) struct S3Settings {
    pub(super) endpoint: Setting<BaseUrl>,
    pub(super) region: Setting<RegionName>,
    pub(super) bucket: Setting<BucketName>,
    pub(super) key_id: Setting<Word>,
    pub(super) secret: Setting<Secret>,
}

impl S3 {
    /// Needed for uploads, and when a bucket or an endpoint is named: keys alone may be there for other programs. The
    /// outer `None` means that something is wrong, and is among the problems.
    pub(super) fn read(settings: S3Settings, need: Need, problems: &mut Problems) -> Option<Option<Self>> {
        let S3Settings { endpoint, region, bucket, key_id, secret } = settings;
        if need == Need::References && bucket.is_unset() && endpoint.is_unset() {
            return Some(None);
        }
        let bucket = bucket.required("the bucket of the samples", problems);
        let key_id = key_id.required("a key that opens the bucket", problems);
        let secret = secret.required("the secret of AWS_ACCESS_KEY_ID", problems);
        let endpoint = endpoint.optional()?;
        let region = if region.is_unset() && endpoint.is_some() {
            REGION.to_owned()
        } else {
            let right = "the region of the bucket, or S3_ENDPOINT for a store other than Amazon's";
            region.required(right, problems)?.0
        };
        Some(Some(Self { endpoint, region, bucket: bucket?.0, key_id: key_id?.0, secret: secret? }))
    }
}

/// Whether a bucket is required.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Need {
    /// `VOICE_SAMPLE_STORAGE=s3`.
    Uploads,
    /// Only when a bucket or an endpoint is named.
    References,
}
