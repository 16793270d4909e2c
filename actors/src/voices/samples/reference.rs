//! Parses `voice_sample_url`: a path, or an object of the configured bucket.

use std::path::PathBuf;

use percent_encoding::percent_decode_str;
use precall_providers::s3::S3Settings;
use url::Url;

use super::SampleError;

/// The longest path on Linux; object keys are shorter.
const REFERENCE_BYTES_MAX: usize = 4096;
/// The longest S3 key.
const KEY_BYTES_MAX: usize = 1024;

/// Location of a sample.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SampleLocation {
    /// A path, not checked against the folder yet.
    Local(PathBuf),
    /// Key of an object in the bucket.
    Object(String),
}

impl SampleLocation {
    /// Parses a reference. Reads no file and sends no request.
    pub(crate) fn of(reference: &str, bucket: Option<&S3Settings>) -> Result<Self, SampleError> {
        let reference = reference.trim();
        if reference.is_empty() || reference.len() > REFERENCE_BYTES_MAX || reference.contains('\0') {
            return Err(SampleError::Malformed);
        }
        let Some((scheme, rest)) = reference.split_once("://") else {
            return Ok(Self::Local(PathBuf::from(reference)));
        };
        match scheme.to_ascii_lowercase().as_str() {
            // Also refuses another host than this one.
            "file" => {
                let path = Url::parse(reference).ok().and_then(|url| url.to_file_path().ok());
                path.map(Self::Local).ok_or(SampleError::Malformed)
            }
            "s3" => object_of_s3(rest, bucket.ok_or(SampleError::NoBucket)?),
            "http" | "https" => match bucket {
                Some(bucket) => object_of_address(reference, bucket),
                None => Err(unsupported(scheme)),
            },
            _ => Err(unsupported(scheme)),
        }
    }
}

fn unsupported(scheme: &str) -> SampleError {
    SampleError::Scheme { scheme: scheme.chars().filter(char::is_ascii_alphanumeric).take(16).collect() }
}

/// In `s3://` the key is not percent-encoded.
fn object_of_s3(rest: &str, bucket: &S3Settings) -> Result<SampleLocation, SampleError> {
    let (name, key) = rest.split_once('/').ok_or(SampleError::Malformed)?;
    if name != bucket.bucket_name() {
        return Err(SampleError::OtherBucket);
    }
    object(key)
}

/// Virtual-host or path style. Refuses a query: a version or a signature would be ignored.
fn object_of_address(reference: &str, bucket: &S3Settings) -> Result<SampleLocation, SampleError> {
    let url = Url::parse(reference).map_err(|_| SampleError::Malformed)?;
    if url.query().is_some()
        || url.fragment().is_some()
        || !url.username().is_empty()
        || url.password().is_some()
    {
        return Err(SampleError::Malformed);
    }
    let key = bucket.addresses().into_iter().find_map(|address| {
        if address.origin() != url.origin() {
            return None;
        }
        url.path().strip_prefix(address.path()).map(str::to_owned)
    });
    let key = key.ok_or(SampleError::OtherBucket)?;
    let key = percent_decode_str(&key).decode_utf8().map_err(|_| SampleError::Malformed)?;
    object(&key)
}

/// Checks a key. In an address, `..` would leave the bucket.
fn object(key: &str) -> Result<SampleLocation, SampleError> {
    let climbs = key.split('/').any(|segment| matches!(segment, "." | ".."));
    if key.is_empty() || key.len() > KEY_BYTES_MAX || key.chars().any(char::is_control) {
        return Err(SampleError::Malformed);
    }
    if climbs {
        return Err(SampleError::OtherBucket);
    }
    Ok(SampleLocation::Object(key.to_owned()))
}
