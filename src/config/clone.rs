//! Voices: how long a clone may take, how long it is kept, where the samples are.

use std::path::PathBuf;
use std::time::Duration;

use precall_call::VoicePolicy;
use serde::Deserialize;

use super::problem::Problems;
use super::secret::Secret;
use super::value::{FromText, List, Read, Word, words};
use super::values::Values;
use super::variables::Section;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Storage {
    Local,
    S3,
}

words!(Storage, "local (s3 is not supported by this build yet)",
    "local" => Storage::Local,
    "s3" => Storage::S3,
);

words!(VoicePolicy, "number, proof or never",
    "number" => VoicePolicy::Number,
    "proof" => VoicePolicy::Proof,
    "never" => VoicePolicy::Never,
);

/// Cloning and its cache. Samples are local files: this build knows nothing else, and refuses a configuration that asks for
/// more.
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
    s3_bucket_name: Option<Read<Word>>,
    s3_region: Option<Read<Word>>,
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
        match problems.value("VOICE_SAMPLE_STORAGE", raw.voice_sample_storage) {
            Some(Storage::S3) => {
                problems.add("VOICE_SAMPLE_STORAGE", "`s3` is not supported by this build yet", "local");
            }
            Some(Storage::Local) | None => {}
        }
        // Read so that they are not called stray and nonsense is seen; nothing uses them yet.
        problems.optional("S3_BUCKET_NAME", raw.s3_bucket_name);
        problems.optional("S3_REGION", raw.s3_region);
        problems.optional("AWS_ACCESS_KEY_ID", raw.aws_access_key_id);
        problems.optional("AWS_SECRET_ACCESS_KEY", raw.aws_secret_access_key);
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
        })
    }
}
