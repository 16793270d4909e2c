//! The mapped callers: whether each has a consent, and whether its sample can be cloned.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::StreamExt as _;
use futures_util::stream;
use precall_actors::voices::samples::{SampleError, SampleStore};
use precall_base::redact::hide;
use precall_call::VoicePolicy;
use precall_store::reads::mapped_callers::MappedCaller;

use super::finding::Judgement;
use super::world::{CALLERS_MAX, World};
use crate::config::Config;

/// Samples that are read whole and decoded; of the others only the presence is checked.
const READ_MAX: usize = 200;
/// Samples that are looked at in parallel.
const AT_ONCE: usize = 8;
/// Samples that are named.
const NAMED: usize = 3;

/// The rows, or what to say instead.
fn callers<'a>(world: &'a World<'_>) -> Result<&'a [MappedCaller], Vec<Judgement>> {
    match &world.database.callers {
        Some(Ok(callers)) => Ok(callers),
        Some(Err(error)) => Err(vec![Judgement::Wrong(format!("the callers cannot be read: {error}"))]),
        None => Err(Vec::new()),
    }
}

pub(super) fn consents(world: &World<'_>) -> Vec<Judgement> {
    match callers(world) {
        Ok(callers) => judge_consents(callers, world.config),
        Err(said) => said,
    }
}

fn judge_consents(callers: &[MappedCaller], config: &Config) -> Vec<Judgement> {
    let all = callers.len();
    if all == 0 {
        return vec![Judgement::Note(
            "no caller is mapped to a voice: every caller hears the fallback voice".to_owned(),
        )];
    }
    let mut judgements = Vec::new();
    if i64::try_from(all).unwrap_or(i64::MAX) >= CALLERS_MAX {
        judgements.push(Judgement::Note(format!("only the first {all} callers are looked at")));
    }
    let lacking = callers.iter().filter(|caller| caller.covered.is_empty()).count();
    if config.clone.consent_required && lacking > 0 {
        let text = format!(
            "{lacking} of {all} mapped callers have no consent: they will hear the fallback voice. Record the \
             consents of their speakers"
        );
        judgements.push(if lacking == all { Judgement::Wrong(text) } else { Judgement::Note(text) });
    }
    let never = callers
        .iter()
        .filter(|caller| caller.policy.unwrap_or(config.clone.policy) == VoicePolicy::Never)
        .count();
    if never > 0 {
        judgements.push(Judgement::Note(format!(
            "{never} of {all} mapped callers have the voice policy `never`: they will hear the fallback voice"
        )));
    }
    if judgements.is_empty() {
        judgements.push(Judgement::Good(format!("{all} mapped callers may hear their voice")));
    }
    judgements
}

/// What is known of a sample.
enum Sample {
    /// It is there; its hash, if it was read.
    Fine(Option<String>),
    Failed(SampleError),
}

pub(super) async fn samples(world: &World<'_>) -> Vec<Judgement> {
    let mut judgements = vec![folder(world.config)];
    let store = match &world.samples {
        Ok(store) => store,
        Err(why) => {
            judgements.push(Judgement::Wrong(why.clone()));
            return judgements;
        }
    };
    if let Some(s3) = &world.config.clone.s3 {
        judgements.push(bucket(store, &s3.bucket).await);
    }
    if let Ok(callers) = callers(world) {
        let references: BTreeSet<&str> = callers.iter().map(|caller| caller.sample.as_str()).collect();
        let seen: BTreeMap<&str, Sample> = stream::iter(references.into_iter().enumerate())
            .map(|(place, reference)| async move { (reference, sample(store, reference, place).await) })
            .buffer_unordered(AT_ONCE)
            .collect()
            .await;
        judgements.extend(judge_samples(callers, &seen, world.config.clone.consent_required));
    }
    judgements
}

fn folder(config: &Config) -> Judgement {
    let path = &config.clone.samples_path;
    if path.is_dir() {
        Judgement::Good(format!("{} is a folder", path.display()))
    } else {
        let path = path.display();
        Judgement::Wrong(format!("{path} is not a folder: create it, or set LOCAL_VOICE_SAMPLES_PATH"))
    }
}

async fn bucket(store: &SampleStore, bucket: &str) -> Judgement {
    match store.mark(&format!("s3://{bucket}/precall-check")).await {
        Ok(_) | Err(SampleError::MissingObject) => Judgement::Good(format!("the bucket {bucket} answers")),
        Err(error) => Judgement::Wrong(format!(
            "{error}: check S3_BUCKET_NAME, S3_REGION, S3_ENDPOINT and the key (AWS_ACCESS_KEY_ID)"
        )),
    }
}

async fn sample(store: &SampleStore, reference: &str, place: usize) -> Sample {
    if place >= READ_MAX {
        return store.mark(reference).await.map_or_else(Sample::Failed, |_| Sample::Fine(None));
    }
    match store.read(reference).await {
        Ok(sample) => Sample::Fine(Some(hex::encode(sample.sha256))),
        Err(error) => Sample::Failed(error),
    }
}

fn judge_samples(
    callers: &[MappedCaller],
    seen: &BTreeMap<&str, Sample>,
    consent_required: bool,
) -> Vec<Judgement> {
    let (mut missing, mut unusable, mut uncovered) = (Vec::new(), Vec::new(), 0_usize);
    for (reference, sample) in seen {
        match sample {
            Sample::Failed(SampleError::Missing | SampleError::MissingObject) => missing.push(*reference),
            Sample::Failed(error) => unusable.push(format!("{reference}: {error}")),
            Sample::Fine(_) => {}
        }
    }
    for caller in callers {
        if let Some(Sample::Fine(Some(hash))) = seen.get(caller.sample.as_str())
            && !caller.covered.is_empty()
            && !caller.covered.contains(hash)
        {
            uncovered = uncovered.saturating_add(1);
        }
    }
    let mut judgements = Vec::new();
    if let Some((count, first)) = counted(&missing) {
        judgements.push(Judgement::Wrong(format!(
            "{count} missing: {first}. Put the recordings there, or correct voice_sample_url"
        )));
    }
    if let Some((count, first)) = counted(&unusable) {
        judgements.push(Judgement::Wrong(format!("{count} of no use: {first}")));
    }
    if consent_required && uncovered > 0 {
        judgements.push(Judgement::Wrong(format!(
            "{uncovered} mapped callers have a consent for another sample than the mapped one: they will hear the \
             fallback voice. Record a consent for the sample in use"
        )));
    }
    let read = seen.values().filter(|sample| matches!(sample, Sample::Fine(Some(_)))).count();
    if judgements.is_empty() && !seen.is_empty() {
        let all = seen.len();
        judgements.push(Judgement::Good(format!(
            "{all} samples are there, {read} of them were read and can be cloned"
        )));
    }
    judgements
}

/// `17 samples are`, and the first few.
fn counted<T: AsRef<str>>(found: &[T]) -> Option<(String, String)> {
    let verb = if found.len() == 1 { "sample is" } else { "samples are" };
    let named: Vec<String> = found.iter().take(NAMED).map(|name| hide(name.as_ref()).into_owned()).collect();
    let more = if found.len() > NAMED { ", ..." } else { "" };
    (!found.is_empty()).then(|| (format!("{} {verb}", found.len()), format!("{}{more}", named.join(", "))))
}
