//! Tests of the voice rules, one per rule.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // A test that cannot go on should stop.

use std::num::NonZeroUsize;

use super::*;

fn rules(concurrency: usize) -> VoiceRules {
    VoiceRules::new(VoiceLimits {
        concurrency,
        capacity: NonZeroUsize::new(8).unwrap(),
        ttl: Duration::from_secs(86_400),
        consent: ConsentRule::Required,
    })
}

fn key(caller: &str) -> CallerKey {
    CallerKey { account: "default".into(), caller: caller.into() }
}

fn mapping() -> Mapping {
    let consented = vec![Covered { sample_sha256: "aa".into(), consent: 1 }];
    Mapping { sample: "a.wav".into(), policy: None, has_pin: false, consented }
}

fn known(mapping: Mapping) -> Option<MappedCaller> {
    Some(MappedCaller { mapping: Some(mapping), mark: Some("1".into()) })
}

fn request(n: u128) -> VoiceRequest {
    VoiceRequest {
        call: call(n),
        policy: VoicePolicy::Number,
        proof: Proof::None,
        due: At(NOW.0 + 35_000_000),
    }
}

fn clone() -> CachedClone {
    CachedClone {
        voice: VoiceId::new("v"),
        sample_sha256: Some("aa".into()),
        sample: Some("a.wav".into()),
        mark: Some("1".into()),
    }
}

fn cloned() -> JobEnd {
    JobEnd::Cloned(clone())
}

fn read(n: u128, caller: &str) -> VoiceOrder {
    VoiceOrder::ReadMapping { key: key(caller), job: CloneJobId(n) }
}

fn call(n: u128) -> CallId {
    CallId(n)
}

fn missing(n: u128, why: NoVoice) -> VoiceOrder {
    VoiceOrder::Answer(call(n), VoiceOutcome::Missing(why))
}

fn ready(n: u128, job: Option<u128>, source: VoiceSource) -> VoiceOrder {
    let voice = VoiceId::new("v");
    VoiceOrder::Answer(call(n), VoiceOutcome::Ready { voice, job: job.map(CloneJobId), source })
}

const NOW: At = At(1_000_000);

/// Requests a voice and answers the order to read the mapping.
fn ask(
    rules: &mut VoiceRules,
    request: VoiceRequest,
    caller: &str,
    job: u128,
    known: Option<MappedCaller>,
    now: At,
) -> Vec<VoiceOrder> {
    assert_eq!(rules.request(request, key(caller), CloneJobId(job)), [read(job, caller)]);
    rules.mapping_read(CloneJobId(job), known, now)
}

/// Starts a job for this caller, with one waiting call of the same number.
fn running(rules: &mut VoiceRules, n: u128, caller: &str) {
    let started = ask(rules, request(n), caller, n, known(mapping()), NOW);
    assert!(
        matches!(started[..], [VoiceOrder::StartJob { job: CloneJobId(job), .. }] if job == n),
        "{started:?}"
    );
}

fn failed(why: NoVoice, failure: Failure) -> JobEnd {
    JobEnd::Failed(why, failure)
}

#[test]
fn one_job_serves_all_calls_of_a_caller_and_the_cache_serves_the_next() {
    let mut rules = rules(4);
    assert_eq!(rules.request(request(1), key("a"), CloneJobId(1)), [read(1, "a")]);
    assert_eq!(rules.request(request(2), key("a"), CloneJobId(2)), []);
    let started = rules.mapping_read(CloneJobId(1), known(mapping()), NOW);
    assert!(matches!(started[..], [VoiceOrder::StartJob { job: CloneJobId(1), call: Some(CallId(1)), .. }]));
    assert_eq!(rules.request(request(3), key("a"), CloneJobId(3)), []);
    let told = rules.job_ended(CloneJobId(1), cloned(), NOW);
    let clone = VoiceSource::Clone;
    assert_eq!(told, [ready(1, Some(1), clone), ready(2, Some(1), clone), ready(3, Some(1), clone)]);
    let told = ask(&mut rules, request(4), "a", 4, known(mapping()), NOW);
    assert_eq!(told, [ready(4, None, VoiceSource::Cache)]);
    assert_eq!(rules.running(), 0);
}

#[test]
fn cached_voice_is_not_used_after_expiry_or_without_mapping_or_consent() {
    let mut rules = rules(4);
    rules.remember(key("a"), clone(), At(NOW.0 + 1));
    let mut asked = |n: u128, answer, now| ask(&mut rules, request(n), "a", n, answer, now);
    assert_eq!(asked(1, known(mapping()), NOW), [ready(1, None, VoiceSource::Cache)]);
    let unmapped = Some(MappedCaller { mapping: None, mark: None });
    assert_eq!(asked(2, unmapped, NOW), [missing(2, NoVoice::NoMapping)]);
    let withdrawn = Mapping { consented: Vec::new(), ..mapping() };
    assert_eq!(asked(3, known(withdrawn), NOW), [missing(3, NoVoice::NoConsent)]);
    assert_eq!(asked(4, None, NOW), [missing(4, NoVoice::DatabaseUnreachable)]);
    let started = asked(5, known(mapping()), At(NOW.0 + 1));
    assert!(matches!(started[..], [VoiceOrder::StartJob { .. }]));
}

#[test]
fn cached_voice_is_compared_with_a_changed_sample_before_use() {
    let mut rules = rules(4);
    rules.remember(key("a"), clone(), At(NOW.0 + 1_000_000));
    let replaced = MappedCaller { mapping: Some(mapping()), mark: Some("2".into()) };
    let started = ask(&mut rules, request(1), "a", 1, Some(replaced.clone()), NOW);
    let [VoiceOrder::StartJob { order, .. }] = &started[..] else { panic!("{started:?}") };
    assert_eq!(order.existing, Some((VoiceId::new("v"), "aa".to_owned())));
    let same = JobEnd::Unchanged { mark: Some("2".into()) };
    assert_eq!(rules.job_ended(CloneJobId(1), same, NOW), [ready(1, None, VoiceSource::Cache)]);
    let told = ask(&mut rules, request(2), "a", 2, Some(replaced), NOW);
    assert_eq!(told, [ready(2, None, VoiceSource::Cache)], "the new mark is known now");
    let elsewhere = Mapping { sample: "b.wav".into(), ..mapping() };
    rules.remember(key("a"), clone(), At(NOW.0 + 1_000_000));
    let started = ask(&mut rules, request(3), "a", 3, known(elsewhere), NOW);
    assert!(matches!(started[..], [VoiceOrder::StartJob { .. }]), "{started:?}");
    rules.job_ended(CloneJobId(3), cloned(), NOW);
    let other = vec![Covered { sample_sha256: "bb".into(), consent: 2 }];
    let newly_agreed = Mapping { consented: other, ..mapping() };
    let started = ask(&mut rules, request(4), "a", 4, known(newly_agreed), NOW);
    assert!(
        matches!(started[..], [VoiceOrder::StartJob { .. }]),
        "no consent covers this sample: {started:?}"
    );
}

#[test]
fn jobs_beyond_the_limit_queue_by_shortest_remaining_wait() {
    let mut rules = rules(1);
    for (n, due) in [(1_u128, 30), (2, 20), (3, 10), (4, 40)] {
        let request = VoiceRequest { due: At(NOW.0 + due), ..request(n) };
        let orders = ask(&mut rules, request, &n.to_string(), n, known(mapping()), NOW);
        assert_eq!(orders.len(), usize::from(n == 1));
    }
    assert_eq!(rules.clone_ahead(key("5"), CloneJobId(5)), [read(5, "5")]);
    assert_eq!(rules.mapping_read(CloneJobId(5), known(mapping()), NOW), []);
    let orders = rules.job_ended(CloneJobId(1), failed(NoVoice::NoSlot, Failure::Transient), NOW);
    assert_eq!(orders[0], missing(1, NoVoice::NoSlot));
    assert!(matches!(orders[1], VoiceOrder::StartJob { job: CloneJobId(3), .. }));
    assert_eq!(rules.cancel(call(2)), [], "a queued job leaves the queue");
    let orders = rules.job_ended(CloneJobId(3), cloned(), NOW);
    assert!(matches!(orders[1], VoiceOrder::StartJob { job: CloneJobId(4), .. }), "{orders:?}");
    let orders = rules.job_ended(CloneJobId(4), cloned(), NOW);
    assert!(matches!(orders[1], VoiceOrder::StartJob { job: CloneJobId(5), call: None, .. }), "{orders:?}");
    assert_eq!(rules.job_ended(CloneJobId(5), cloned(), NOW), []);
    assert!(rules.cached(&key("5"), NOW).is_some());
}

#[test]
fn running_jobs_stay_within_the_provider_limit() {
    let mut rules = rules(4);
    rules.set_provider_limit(2);
    for n in 1..=3_u128 {
        let orders = ask(&mut rules, request(n), &n.to_string(), n, known(mapping()), NOW);
        assert_eq!(orders.len(), usize::from(n <= 2));
    }
    assert_eq!(rules.running(), 2);
}

#[test]
fn job_without_waiting_calls_stops_only_before_its_upload() {
    let mut rules = rules(4);
    running(&mut rules, 1, "a");
    assert_eq!(rules.cancel(call(1)), [VoiceOrder::StopJob(CloneJobId(1), key("a"))]);
    running(&mut rules, 2, "b");
    rules.upload_started(CloneJobId(2));
    assert_eq!(rules.cancel(call(2)), []);
    assert_eq!(rules.job_ended(CloneJobId(2), cloned(), NOW), []);
    assert_eq!(rules.cached(&key("b"), NOW), Some(&VoiceId::new("v")));
}

#[test]
fn late_job_releases_its_calls_and_is_still_cached() {
    let mut rules = rules(4);
    running(&mut rules, 1, "a");
    rules.upload_started(CloneJobId(1));
    assert_eq!(rules.job_late(CloneJobId(1)), [missing(1, NoVoice::CloneTimeout)]);
    let joined = rules.request(request(2), key("a"), CloneJobId(2));
    assert_eq!(joined, [], "a later call waits for the same job");
    let told = rules.job_ended(CloneJobId(1), cloned(), NOW);
    assert_eq!(told, [ready(2, Some(1), VoiceSource::Clone)]);
}

#[test]
fn calls_wait_for_a_recovered_job_and_are_checked_after_it() {
    let mut rules = rules(4);
    rules.recover(key("a"), CloneJobId(1));
    assert_eq!(rules.request(request(1), key("a"), CloneJobId(2)), []);
    let told = rules.job_ended(CloneJobId(1), cloned(), NOW);
    assert_eq!(told, [VoiceOrder::RequestAgain(request(1), key("a"))], "no mapping was read yet");
    let told = ask(&mut rules, request(1), "a", 3, known(mapping()), NOW);
    assert_eq!(told, [ready(1, None, VoiceSource::Cache)]);
}

#[test]
fn forgotten_voice_is_cloned_again_for_the_next_call() {
    let mut rules = rules(4);
    rules.remember(key("a"), clone(), At(NOW.0 + 1));
    assert!(rules.forget(&key("a")));
    assert!(!rules.forget(&key("a")));
    running(&mut rules, 1, "a");
}

#[test]
fn refused_sample_is_not_retried_until_it_changes_or_the_refusal_expires() {
    let mut rules = rules(4);
    running(&mut rules, 1, "a");
    rules.job_ended(CloneJobId(1), failed(NoVoice::SampleRefused, Failure::Permanent), NOW);
    let told = ask(&mut rules, request(2), "a", 2, known(mapping()), NOW);
    assert_eq!(told, [missing(2, NoVoice::SampleRefused)]);
    let replaced = Some(MappedCaller { mapping: Some(mapping()), mark: Some("2".into()) });
    let started = ask(&mut rules, request(3), "a", 3, replaced, NOW);
    assert!(matches!(started[..], [VoiceOrder::StartJob { .. }]));
    rules.job_ended(CloneJobId(3), failed(NoVoice::SampleRefused, Failure::Permanent), NOW);
    let replaced = Some(MappedCaller { mapping: Some(mapping()), mark: Some("2".into()) });
    let started = ask(&mut rules, request(4), "a", 4, replaced, NOW.plus(REFUSED_FOR));
    assert!(matches!(started[..], [VoiceOrder::StartJob { .. }]), "the refusal has expired");
    rules.job_ended(CloneJobId(4), failed(NoVoice::CloneFailed, Failure::Transient), NOW);
    running(&mut rules, 5, "a");
}

#[test]
fn voice_policy_is_checked_for_every_call_also_one_that_joins() {
    let mut rules = rules(4);
    let proof = |n| VoiceRequest { policy: VoicePolicy::Proof, ..request(n) };
    let by_pin = Mapping { has_pin: true, ..mapping() };
    let needs = |n, way| VoiceOrder::Answer(call(n), VoiceOutcome::NeedsProof(way));
    let told = ask(&mut rules, proof(1), "a", 1, known(by_pin.clone()), NOW);
    assert_eq!(told, [needs(1, ProofWay::LegOrPin)]);
    let told = ask(&mut rules, proof(2), "a", 2, known(mapping()), NOW);
    assert_eq!(told, [needs(2, ProofWay::Leg)]);
    let given = VoiceRequest { proof: Proof::Given, ..proof(3) };
    let started = ask(&mut rules, given, "a", 3, known(by_pin.clone()), NOW);
    assert!(matches!(started[..], [VoiceOrder::StartJob { .. }]));
    assert_eq!(rules.request(proof(4), key("a"), CloneJobId(4)), [needs(4, ProofWay::LegOrPin)]);
    let by_number = Mapping { policy: Some(VoicePolicy::Number), ..mapping() };
    let started = ask(&mut rules, proof(5), "b", 5, known(by_number), NOW);
    assert!(matches!(started[..], [VoiceOrder::StartJob { .. }]), "the caller's own policy decides");
    let never = Mapping { policy: Some(VoicePolicy::Never), ..mapping() };
    let told = ask(&mut rules, VoiceRequest { proof: Proof::Given, ..request(6) }, "c", 6, known(never), NOW);
    assert_eq!(told, [missing(6, NoVoice::Unproven)]);
}

#[test]
fn revoked_voice_is_not_uploaded_and_an_uploaded_one_is_not_used() {
    let mut rules = rules(1);
    let no = NoVoice::NoConsent;
    running(&mut rules, 1, "a");
    assert_eq!(ask(&mut rules, request(2), "b", 2, known(mapping()), NOW), []);
    assert_eq!(rules.revoke(&key("b"), no), [missing(2, no)], "it was queued");
    assert_eq!(rules.revoke(&key("a"), no), [missing(1, no), VoiceOrder::StopJob(CloneJobId(1), key("a"))]);
    running(&mut rules, 3, "a");
    rules.upload_started(CloneJobId(3));
    assert_eq!(rules.revoke(&key("a"), no), [missing(3, no)]);
    assert_eq!(rules.request(request(4), key("a"), CloneJobId(4)), [missing(4, no)]);
    assert_eq!(rules.job_ended(CloneJobId(3), cloned(), NOW), []);
    assert_eq!(rules.cached(&key("a"), NOW), None);
    rules.request(request(5), key("a"), CloneJobId(5));
    assert_eq!(rules.revoke(&key("a"), no), [missing(5, no)]);
    assert_eq!(
        rules.mapping_read(CloneJobId(5), known(mapping()), NOW),
        [],
        "a mapping read before the revocation is ignored"
    );
}

#[test]
fn no_call_waits_while_the_circuit_breaker_is_open() {
    let mut rules = rules(1);
    for n in 1..=4_u128 {
        running(&mut rules, n, "a");
        rules.job_ended(CloneJobId(n), failed(NoVoice::CloneFailed, Failure::Provider), NOW);
    }
    running(&mut rules, 5, "a");
    assert_eq!(ask(&mut rules, request(6), "b", 6, known(mapping()), NOW), []);
    let told = rules.job_ended(CloneJobId(5), failed(NoVoice::CloneTimeout, Failure::Provider), NOW);
    assert_eq!(told, [missing(5, NoVoice::CloneTimeout), missing(6, NoVoice::BreakerOpen)]);
    assert!(rules.is_breaker_open());
    let told = ask(&mut rules, request(7), "c", 7, known(mapping()), NOW);
    assert_eq!(told, [missing(7, NoVoice::BreakerOpen)]);
    rules.remember(key("d"), clone(), At(NOW.0 + 1));
    let told = ask(&mut rules, request(8), "d", 8, known(mapping()), NOW);
    assert_eq!(told, [ready(8, None, VoiceSource::Cache)], "a cached voice needs no provider");
    let later = NOW.plus(Duration::from_secs(15));
    let started = ask(&mut rules, request(9), "c", 9, known(mapping()), later);
    assert!(matches!(started[..], [VoiceOrder::StartJob { .. }]), "one trial request");
    assert_eq!(ask(&mut rules, request(10), "e", 10, known(mapping()), later).len(), 1);
    rules.job_ended(CloneJobId(9), cloned(), later);
    running(&mut rules, 11, "e");
}
