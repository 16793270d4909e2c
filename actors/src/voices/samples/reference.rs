//! What `voice_sample_url` names: a path, or an object of the one bucket in any of its forms.

use std::path::PathBuf;

use percent_encoding::percent_decode_str;
use precall_providers::s3::S3Settings;
use url::Url;

use super::SampleError;

/// As long as a path may be on Linux; names of objects are shorter.
const REFERENCE_BYTES_MAX: usize = 4096;
/// As long as a name in a bucket may be.
const KEY_BYTES_MAX: usize = 1024;

/// Where a sample lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// A path, not yet held against the folder.
    Local(PathBuf),
    /// The name of an object in the bucket.
    Object(String),
}

impl Place {
    /// Reads a reference. Nothing is looked at yet.
    pub(crate) fn of(reference: &str, bucket: Option<&S3Settings>) -> Result<Self, SampleError> {
        let reference = reference.trim();
        if reference.is_empty() || reference.len() > REFERENCE_BYTES_MAX || reference.contains('\0') {
            return Err(SampleError::Malformed);
        }
        let Some((scheme, rest)) = reference.split_once("://") else {
            return Ok(Self::Local(PathBuf::from(reference)));
        };
        match scheme.to_ascii_lowercase().as_str() {
            // A host other than this one is refused here as well.
            "file" => {
                let path = Url::parse(reference).ok().and_then(|url| url.to_file_path().ok());
                path.map(Self::Local).ok_or(SampleError::Malformed)
            }
            "s3" => object_of_s3(rest, bucket.ok_or(SampleError::NoBucket)?),
            "http" | "https" => match bucket {
                Some(bucket) => object_of_address(reference, bucket),
                None => Err(not_read(scheme)),
            },
            _ => Err(not_read(scheme)),
        }
    }
}

fn not_read(scheme: &str) -> SampleError {
    SampleError::Scheme { scheme: scheme.chars().filter(char::is_ascii_alphanumeric).take(16).collect() }
}

/// The name is written as it is, without any encoding.
fn object_of_s3(rest: &str, bucket: &S3Settings) -> Result<Place, SampleError> {
    let (name, key) = rest.split_once('/').ok_or(SampleError::Malformed)?;
    if name != bucket.bucket_name() {
        return Err(SampleError::OtherBucket);
    }
    object(key)
}

/// By host or by path. A query would ask for another version or carry a signature, and nothing here would honour it.
fn object_of_address(reference: &str, bucket: &S3Settings) -> Result<Place, SampleError> {
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

/// A name that means itself in an address: `..` would climb out of the bucket there.
fn object(key: &str) -> Result<Place, SampleError> {
    let climbs = key.split('/').any(|segment| matches!(segment, "." | ".."));
    if key.is_empty() || key.len() > KEY_BYTES_MAX || key.chars().any(char::is_control) {
        return Err(SampleError::Malformed);
    }
    if climbs {
        return Err(SampleError::OtherBucket);
    }
    Ok(Place::Object(key.to_owned()))
}
