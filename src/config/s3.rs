//! The bucket of samples: all of it or none.

use super::base_url::BaseUrl;
use super::problem::Problems;
use super::secret::Secret;
use super::value::{Complaint, FromText, Read, Word};

/// Where stores other than Amazon's say that they are.
const REGION: &str = "us-east-1";

/// A bucket, and what opens it.
#[derive(Clone, Debug)]
pub struct S3 {
    /// None is Amazon's own in the region.
    pub endpoint: Option<BaseUrl>,
    /// Of the bucket.
    pub region: String,
    /// Nothing outside of it is read, written or deleted.
    pub bucket: String,
    /// Who asks.
    pub key_id: String,
    /// What proves it.
    pub secret: Secret,
}

/// A bucket's name, as every store allows it.
#[derive(Debug)]
pub(super) struct BucketName(String);

impl FromText for BucketName {
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

/// A region's name, which becomes part of an address.
#[derive(Debug)]
pub(super) struct RegionName(String);

impl FromText for RegionName {
    fn from_text(text: &str) -> Result<Self, Complaint> {
        let is_name =
            text.len() <= 63 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if !is_name {
            return Err(Complaint::new("is no name of a region", "for example eu-central-1"));
        }
        Ok(Self(text.to_owned()))
    }
}

/// As the variables have it.
#[derive(Debug)]
pub(super) struct RawS3 {
    pub(super) endpoint: Option<Read<BaseUrl>>,
    pub(super) region: Option<Read<RegionName>>,
    pub(super) bucket: Option<Read<BucketName>>,
    pub(super) key_id: Option<Read<Word>>,
    pub(super) secret: Option<Read<Secret>>,
}

impl S3 {
    /// Read where it is needed, and where a bucket or an address is named: keys alone may be there for other programs. The
    /// outer `None` means wrong, and noted.
    #[expect(
        clippy::option_option,
        reason = "wrong and unset are two things, and callers use `?` on the first"
    )]
    pub(super) fn read(raw: RawS3, need: Need, problems: &mut Problems) -> Option<Option<Self>> {
        let RawS3 { endpoint, region, bucket, key_id, secret } = raw;
        let is_meant = need == Need::Uploads || bucket.is_some() || endpoint.is_some();
        let endpoint = problems.optional("S3_ENDPOINT", endpoint);
        let region = problems.optional("S3_REGION", region);
        if !is_meant {
            problems.optional("AWS_ACCESS_KEY_ID", key_id);
            problems.optional("AWS_SECRET_ACCESS_KEY", secret);
            return Some(None);
        }
        let bucket = problems.required("S3_BUCKET_NAME", bucket, "the bucket of the samples");
        let key_id = problems.required("AWS_ACCESS_KEY_ID", key_id, "a key that opens the bucket");
        let secret = problems.required("AWS_SECRET_ACCESS_KEY", secret, "the secret of AWS_ACCESS_KEY_ID");
        let (endpoint, region) = (endpoint?, region?);
        let region = match (region, &endpoint) {
            (Some(RegionName(region)), _) => Some(region),
            (None, Some(_)) => Some(REGION.to_owned()),
            (None, None) => {
                let right = "the region of the bucket, or S3_ENDPOINT for a store other than Amazon's";
                problems.add("S3_REGION", "is required and not set", right);
                None
            }
        };
        let (BucketName(bucket), Word(key_id)) = (bucket?, key_id?);
        Some(Some(Self { endpoint, region: region?, bucket, key_id, secret: secret? }))
    }
}

/// Whether there has to be a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Need {
    /// `VOICE_SAMPLE_STORAGE=s3`.
    Uploads,
    /// Only if one is named.
    References,
}
