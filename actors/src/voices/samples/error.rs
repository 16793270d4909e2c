//! Why a sample cannot be used. The texts are for the people who record samples or configure the sample store.

use std::io;

use precall_audio::prompts::AudioError;
use precall_providers::s3::S3Error;

use super::SAMPLE_BYTES_MAX;

/// Why a sample cannot be used. The texts say what to change. They never contain the path, which may hold a number.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SampleError {
    /// A scheme that precall does not read.
    #[error(
        "voice_sample_url begins with {scheme}://, which is not read here: store a path inside \
         LOCAL_VOICE_SAMPLES_PATH or s3://BUCKET/KEY"
    )]
    Scheme {
        /// The scheme, at most 16 characters.
        scheme: String,
    },
    /// Neither a path nor an object's address.
    #[error(
        "voice_sample_url is not a path, file URL or address of an object: store a path inside \
         LOCAL_VOICE_SAMPLES_PATH or s3://BUCKET/KEY"
    )]
    Malformed,
    /// The sample is in a bucket, and none is configured.
    #[error(
        "the sample lies in S3, which is not configured: set S3_BUCKET_NAME, S3_REGION or S3_ENDPOINT, \
         AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
    )]
    NoBucket,
    /// The sample is in another bucket or on another host.
    #[error(
        "voice_sample_url leads to another place than the bucket S3_BUCKET_NAME: copy the object there and \
         store s3://BUCKET/KEY"
    )]
    OtherBucket,
    /// The folder of the samples cannot be opened.
    #[error("LOCAL_VOICE_SAMPLES_PATH cannot be opened ({0}): create the folder or correct the variable")]
    NoFolder(io::ErrorKind),
    /// The path leads out of the folder, directly or through a link.
    #[error(
        "the sample lies outside LOCAL_VOICE_SAMPLES_PATH: move the file into that folder and store its path there"
    )]
    Outside,
    /// The file does not exist.
    #[error(
        "the sample does not exist: put the file into LOCAL_VOICE_SAMPLES_PATH or correct voice_sample_url"
    )]
    Missing,
    /// The object does not exist.
    #[error("the sample does not exist in the bucket: upload it there or correct voice_sample_url")]
    MissingObject,
    /// A folder, a pipe or a device.
    #[error("the sample is not a regular file: store the path of a recording")]
    NotAFile,
    /// The file exists but cannot be read.
    #[error("the sample cannot be read ({0}): check owner and permissions of the file")]
    Unreadable(io::ErrorKind),
    /// The folder cannot be written.
    #[error(
        "the folder of the samples cannot be written ({0}): check owner, permissions and space of \
         LOCAL_VOICE_SAMPLES_PATH"
    )]
    Unwritable(io::ErrorKind),
    /// The S3 store refused or failed.
    #[error("the bucket of the samples: {0}")]
    Bucket(S3Error),
    /// The operation timed out.
    #[error("the sample was not there in time: check the disk or the store that it lies on")]
    TooSlow,
    /// The account's name cannot be the name of a folder.
    #[error("the account has no name that a folder can have")]
    Account,
    /// No bytes.
    #[error("the sample is empty: record or upload it again")]
    Empty,
    /// More than [`SAMPLE_BYTES_MAX`].
    #[error(
        "the sample is larger than {SAMPLE_BYTES_MAX} bytes: one or two minutes of clean speech are best, \
         cut or compress it"
    )]
    TooLarge,
    /// The content is incomplete.
    #[error("the sample is cut off, since it ends before its own end: copy or upload it again")]
    Truncated,
    /// Not a supported format, or one that cannot be decoded.
    #[error("the sample cannot be used: {0}")]
    Unusable(AudioError),
    /// Less than three seconds.
    #[error("the sample is only {0} ms long: record at least 3 seconds, one or two minutes are best")]
    TooShort(u64),
    /// More than ten minutes.
    #[error("the sample is longer than 10 minutes: one or two minutes of clean speech are best, cut it")]
    TooLong,
    /// The sample holds too little speech.
    #[error("the sample is nearly silent: check the microphone and its level, and record it again")]
    Silent,
    /// The recording level was too high.
    #[error("the sample is distorted, since its level was too high: record it again with a lower one")]
    Clipped,
}

impl SampleError {
    /// Whether a later attempt may succeed without any change: a disk or a store has trouble.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        match self {
            Self::TooSlow => true,
            // A volume may be mounted late; permissions do not change by themselves.
            Self::NoFolder(kind) | Self::Unreadable(kind) | Self::Unwritable(kind) => {
                *kind != io::ErrorKind::PermissionDenied
            }
            Self::Bucket(error) => error.is_passing(),
            Self::Scheme { .. }
            | Self::Malformed
            | Self::NoBucket
            | Self::OtherBucket
            | Self::Outside
            | Self::Missing
            | Self::MissingObject
            | Self::NotAFile
            | Self::Account
            | Self::Empty
            | Self::TooLarge
            | Self::Truncated
            | Self::Unusable(_)
            | Self::TooShort(_)
            | Self::TooLong
            | Self::Silent
            | Self::Clipped => false,
        }
    }

    /// Whether the content of the sample is the problem, not its location.
    #[must_use]
    pub fn is_about_content(&self) -> bool {
        match self {
            Self::Empty
            | Self::TooLarge
            | Self::Truncated
            | Self::Unusable(_)
            | Self::TooShort(_)
            | Self::TooLong
            | Self::Silent
            | Self::Clipped => true,
            Self::Scheme { .. }
            | Self::Malformed
            | Self::NoBucket
            | Self::OtherBucket
            | Self::NoFolder(_)
            | Self::Outside
            | Self::Missing
            | Self::MissingObject
            | Self::NotAFile
            | Self::Unreadable(_)
            | Self::Unwritable(_)
            | Self::Bucket(_)
            | Self::TooSlow
            | Self::Account => false,
        }
    }
}

impl From<S3Error> for SampleError {
    fn from(error: S3Error) -> Self {
        match error {
            S3Error::Missing => Self::MissingObject,
            S3Error::TooLarge => Self::TooLarge,
            S3Error::NoBucket
            | S3Error::Refused(_)
            | S3Error::Elsewhere(_)
            | S3Error::Unreachable(_)
            | S3Error::Status { .. }
            | S3Error::Garbled => Self::Bucket(error),
        }
    }
}

impl From<AudioError> for SampleError {
    fn from(error: AudioError) -> Self {
        match error {
            AudioError::Empty => Self::Empty,
            AudioError::TooLarge => Self::TooLarge,
            AudioError::TooLong => Self::TooLong,
            AudioError::Truncated => Self::Truncated,
            AudioError::Silent => Self::Silent,
            AudioError::Missing
            | AudioError::NotAFile
            | AudioError::Unreadable(_)
            | AudioError::NotAudio
            | AudioError::Otherwise(_)
            | AudioError::Several
            | AudioError::Container { .. }
            | AudioError::Codec(_)
            | AudioError::NoSound
            | AudioError::Edited
            | AudioError::TooDetailed
            | AudioError::Rate(_)
            | AudioError::Damaged => Self::Unusable(error),
        }
    }
}
