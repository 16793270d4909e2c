//! Cloned voices, who may hear them, and the samples they are made from.

use std::path::PathBuf;
use std::time::Duration;

use precall_call::VoicePolicy;

use super::base_url::BaseUrl;
use super::problem::Problems;
use super::s3::{BucketName, Need, RegionName, S3, S3Settings};
use super::secret::Secret;
use super::section::Section;
use super::setting::variables;
use super::value::lists::WordList;
use super::value::numbers::{Seconds, Whole};
use super::value::{Word, words};
use super::values::Values;
use super::variables::DefaultValue::Text;
use super::variables::{Probed, Required, Restart, Routes};

const TEN_YEARS: u64 = 315_360_000;
const WITH_BUCKET: Required = Required::When("with S3_BUCKET_NAME");

variables! { Section::Clone;
    clone_max_wait_seconds: Seconds<1, 300> {
        restart: Restart::NotNeeded,
        default: Text("35"),
        help: "How long a call waits for its cloned voice, counted from the arrival of the call.",
    }
    voice_clone_timeout: Seconds<1, 300> {
        default: Text("30"),
        help: "How long one clone may take at ElevenLabs. Then the calls that wait for it go on without it.",
    }
    clone_concurrency: Whole<usize, 1, 64> {
        unit: "clones at once",
        default: Text("4"),
        help: "Largest number of clones in progress at ElevenLabs.",
    }
    cache_ttl: Seconds<1, TEN_YEARS> {
        default: Text("86400"),
        help: "How long precall keeps a cloned voice for the caller's next calls.",
    }
    consent_required: bool {
        default: Text("true"),
        help: "Upload a sample only when the consent of its speaker is on record.",
    }
    voice_policy: VoicePolicy {
        restart: Restart::NotNeeded,
        default: Text("number"),
        help: "Who hears a cloned voice, when neither the caller's mapping nor the line says.",
        note: "number: every caller from the mapped number. proof: a caller who proves to be the owner, by a PIN or by \
            a trusted trunk. never: no caller.",
    }
    trusted_trunks: WordList {
        restart: Restart::NotNeeded,
        probed: Probed::Cannot("3CX shows trunks to no API client, only their calls"),
        unit: "DNs",
        routes: Routes::LiveLeg,
        example: "10007",
        help: "DNs of trunks at the PBX whose caller numbers cannot be forged. They prove who calls.",
    }
    pin_wait_seconds: Seconds<3, 60> {
        restart: Restart::NotNeeded,
        routes: Routes::LiveLeg,
        default: Text("10"),
        help: "How long precall waits for a PIN, counted from the end of the greeting and from each wrong PIN.",
    }
    voice_sample_storage: Storage {
        default: Text("local"),
        help: "Where precall puts uploaded samples.",
        note: "It reads the sample of a caller from either place, as the caller's mapping says.",
    }
    local_voice_samples_path: PathBuf {
        probed: Probed::By("voice samples"),
        default: Text("/data/voices"),
        help: "Directory of the local samples. precall reads, writes and deletes no samples outside it.",
    }
    sample_playback: bool {
        restart: Restart::NotNeeded,
        default: Text("false"),
        help: "Let people play the samples of callers, on the page Callers and by the API (keys of the scope voice).",
        note: "Each play is in the audit log.",
    }
    s3_bucket_name: BucketName {
        probed: Probed::By("voice samples"),
        required: Required::When("when VOICE_SAMPLE_STORAGE is s3, or with S3_ENDPOINT"),
        example: "voice-samples",
        help: "Bucket of the samples, for uploads and for a voice_sample_url of the form s3://BUCKET/KEY.",
        note: "precall uses no other bucket.",
    }
    s3_region: RegionName {
        probed: Probed::By("voice samples"),
        required: Required::When("with S3_BUCKET_NAME, unless S3_ENDPOINT is set"),
        example: "eu-central-1",
        help: "Region of the bucket. With S3_ENDPOINT it is us-east-1 when unset.",
    }
    s3_endpoint: BaseUrl {
        probed: Probed::By("voice samples"),
        example: "https://minio.example.com",
        help: "Address of an S3 store other than Amazon's.",
        note: "The bucket is part of the path. precall trusts the certificate authorities that the host trusts.",
    }
    aws_access_key_id: Word {
        probed: Probed::By("voice samples"),
        required: WITH_BUCKET,
        example: "AKIAEXAMPLE",
        help: "Access key for the bucket.",
        note: "It needs GetObject, PutObject, DeleteObject, DeleteObjectVersion and ListBucketVersions.",
    }
    aws_secret_access_key: Secret {
        probed: Probed::By("voice samples"),
        required: WITH_BUCKET,
        example: "CHANGE_ME",
        help: "Secret of that access key.",
    }
}

/// Where uploaded samples go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Storage {
    /// Under `LOCAL_VOICE_SAMPLES_PATH`.
    Local,
    /// In the bucket.
    S3,
}

words!(Storage,
    "local" => Storage::Local,
    "s3" => Storage::S3,
);

words!(VoicePolicy,
    "number" => VoicePolicy::Number,
    "proof" => VoicePolicy::Proof,
    "never" => VoicePolicy::Never,
);

/// Cloning, its cache and its samples.
#[derive(Clone, Debug)]
pub struct VoiceClone {
    /// How long a call waits for its voice, from the arrival of the call.
    pub max_wait: Duration,
    /// How long one clone job may take before the calls that wait for it go on without it.
    pub timeout: Duration,
    /// Largest number of clone jobs at ElevenLabs.
    pub concurrency: usize,
    /// How long a cloned voice is kept.
    pub cache_ttl: Duration,
    /// Whether a sample needs the consent of its speaker before precall uploads it.
    pub consent_required: bool,
    /// Who may hear a cloned voice, when neither the caller's mapping nor the line says.
    pub policy: VoicePolicy,
    /// DNs of trunks whose caller numbers cannot be forged.
    pub trusted_trunks: Vec<String>,
    /// How long precall waits for a PIN after the greeting.
    pub pin_wait: Duration,
    /// Directory of the local samples. Nothing outside it is read.
    pub samples_path: PathBuf,
    /// Whether keys of the scope `voice` may play samples.
    pub playback: bool,
    /// Where uploads go. A caller's mapping may name a sample in either place.
    pub uploads: Storage,
    /// The bucket of the samples.
    pub s3: Option<S3>,
}

impl VoiceClone {
    pub(super) fn read(values: &Values, problems: &mut Problems) -> Option<Self> {
        let settings = Settings::read(values, problems)?;
        let uploads = settings.voice_sample_storage.value();
        let need = match uploads {
            Some(Storage::S3) => Need::Uploads,
            Some(Storage::Local) | None => Need::References,
        };
        let s3 = S3Settings {
            endpoint: settings.s3_endpoint,
            region: settings.s3_region,
            bucket: settings.s3_bucket_name,
            key_id: settings.aws_access_key_id,
            secret: settings.aws_secret_access_key,
        };
        let s3 = S3::read(s3, need, problems);
        let trusted_trunks = settings.trusted_trunks.optional()?;
        Some(Self {
            max_wait: settings.clone_max_wait_seconds.value()?.0,
            timeout: settings.voice_clone_timeout.value()?.0,
            concurrency: settings.clone_concurrency.value()?.0,
            cache_ttl: settings.cache_ttl.value()?.0,
            consent_required: settings.consent_required.value()?,
            policy: settings.voice_policy.value()?,
            trusted_trunks: trusted_trunks.map(|WordList(trunks)| trunks).unwrap_or_default(),
            pin_wait: settings.pin_wait_seconds.value()?.0,
            samples_path: settings.local_voice_samples_path.value()?,
            playback: settings.sample_playback.value()?,
            uploads: uploads?,
            s3: s3?,
        })
    }
}
