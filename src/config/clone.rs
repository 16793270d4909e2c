//! Voices: how long a clone may take, how long it is kept, where the samples are.

use std::path::PathBuf;
use std::time::Duration;

use precall_call::VoicePolicy;
use serde::Deserialize;

use super::base_url::BaseUrl;
use super::problem::Problems;
use super::s3::{BucketName, Need, RawS3, RegionName, S3};
use super::secret::Secret;
use super::value::{FromText, List, Read, Word, words};
use super::values::Values;
use super::variables::Section;

/// Where uploaded samples are put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Storage {
    /// Under `LOCAL_VOICE_SAMPLES_PATH`.
    Local,
    /// In the bucket.
    S3,
}

words!(Storage, "local or s3",
    "local" => Storage::Local,
    "s3" => Storage::S3,
);

words!(VoicePolicy, "number, proof or never",
    "number" => VoicePolicy::Number,
    "proof" => VoicePolicy::Proof,
    "never" => VoicePolicy::Never,
);

/// Cloning, its cache and its samples.
#[derive(Clone, Debug)]
pub struct VoiceClone {
    /// How long the voice may take, from the offer of the call.
    pub max_wait: Duration,
    /// How long one clone job may take before its waiters are told.
    pub timeout: Duration,
    /// Clone jobs at the provider at once.
    pub concurrency: usize,
    /// How long a cloned voice is kept.
    pub cache_ttl: Duration,
    /// Whether a sample needs its speaker's consent before it is uploaded.
    pub consent_required: bool,
    /// Who may hear a caller's voice, where neither the caller's mapping nor the line says.
    pub policy: VoicePolicy,
    /// DNs of trunks whose numbers can be believed.
    pub trusted_trunks: Vec<String>,
    /// How long a PIN is waited for, after the greeting.
    pub pin_wait: Duration,
    /// Where local samples lie; nothing outside is read.
    pub samples_path: PathBuf,
    /// Where uploads are put; what a caller's mapping names is read from either place.
    pub uploads: Storage,
    /// The bucket of samples, if there is one.
    pub s3: Option<S3>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    clone_max_wait_seconds: Read<u64>,
    voice_clone_timeout: Read<u64>,
    clone_concurrency: Read<u64>,
    cache_ttl: Read<u64>,
    consent_required: Read<bool>,
    voice_policy: Read<VoicePolicy>,
    trusted_trunks: Option<Read<List>>,
    pin_wait_seconds: Read<u64>,
    voice_sample_storage: Read<Storage>,
    local_voice_samples_path: Read<PathBuf>,
    s3_bucket_name: Option<Read<BucketName>>,
    s3_region: Option<Read<RegionName>>,
    s3_endpoint: Option<Read<BaseUrl>>,
    aws_access_key_id: Option<Read<Word>>,
    aws_secret_access_key: Option<Read<Secret>>,
}

impl VoiceClone {
    pub(super) fn read(values: &Values, problems: &mut Problems) -> Option<Self> {
        const TEN_YEARS: u64 = 315_360_000;
        let raw: Raw = values.section(Section::Clone, problems)?;
        let max_wait = problems.seconds("CLONE_MAX_WAIT_SECONDS", raw.clone_max_wait_seconds, 1..=300);
        let timeout = problems.seconds("VOICE_CLONE_TIMEOUT", raw.voice_clone_timeout, 1..=300);
        let concurrency =
            problems.number("CLONE_CONCURRENCY", raw.clone_concurrency, 1..=64, "clones at once");
        let cache_ttl = problems.seconds("CACHE_TTL", raw.cache_ttl, 1..=TEN_YEARS);
        let consent_required = problems.value("CONSENT_REQUIRED", raw.consent_required);
        let samples_path = problems.value("LOCAL_VOICE_SAMPLES_PATH", raw.local_voice_samples_path);
        let policy = problems.value("VOICE_POLICY", raw.voice_policy);
        let trusted_trunks = problems.optional("TRUSTED_TRUNKS", raw.trusted_trunks);
        let trunks = trusted_trunks.iter().flatten().flat_map(|list| &list.0);
        if let Some(Err(complaint)) = trunks.map(|dn| Word::from_text(dn)).find(Result::is_err) {
            problems.add("TRUSTED_TRUNKS", complaint.wrong, "the DNs of trunks, comma separated");
        }
        let pin_wait = problems.seconds("PIN_WAIT_SECONDS", raw.pin_wait_seconds, 3..=60);
        let uploads = problems.value("VOICE_SAMPLE_STORAGE", raw.voice_sample_storage);
        let need = match uploads {
            Some(Storage::S3) => Need::Uploads,
            Some(Storage::Local) | None => Need::References,
        };
        let s3 = RawS3 {
            endpoint: raw.s3_endpoint,
            region: raw.s3_region,
            bucket: raw.s3_bucket_name,
            key_id: raw.aws_access_key_id,
            secret: raw.aws_secret_access_key,
        };
        let s3 = S3::read(s3, need, problems);
        Some(Self {
            max_wait: max_wait?,
            timeout: timeout?,
            concurrency: concurrency?,
            cache_ttl: cache_ttl?,
            consent_required: consent_required?,
            policy: policy?,
            trusted_trunks: trusted_trunks?.map(|list| list.0).unwrap_or_default(),
            pin_wait: pin_wait?,
            samples_path: samples_path?,
            uploads: uploads?,
            s3: s3?,
        })
    }
}
