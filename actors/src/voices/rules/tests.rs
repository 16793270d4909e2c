//! The voice book's rules, one test each.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // A test that cannot go on should stop.

use std::num::NonZeroUsize;

use super::*;

fn book(concurrency: usize) -> Book {
    Book::new(BookLimits {
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

fn known(mapping: Mapping) -> Option<Known> {
    Some(Known { mapping: Some(mapping), mark: Some("1".into()) })
}

fn asker(n: u128) -> Asker {
    Asker { call: call(n), policy: VoicePolicy::Number, proof: Proof::None, due: At(NOW.0 + 35_000_000) }
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

fn read(n: u128, caller: &str) -> Order {
    Order::ReadMapping { key: key(caller), job: CloneJobId(n) }
}

fn call(n: u128) -> CallId {
    CallId(n)
}

fn missing(n: u128, why: NoVoice) -> Order {
    Order::Tell(call(n), VoiceOutcome::Missing(why))
}

fn ready(n: u128, job: Option<u128>, source: VoiceSource) -> Order {
    let voice = VoiceId::new("v");
    Order::Tell(call(n), VoiceOutcome::Ready { voice, job: job.map(CloneJobId), source })
}

const NOW: At = At(1_000_000);

/// Asks, and answers the book's question about the mapping.
fn ask(book: &mut Book, asker: Asker, caller: &str, job: u128, known: Option<Known>, now: At) -> Vec<Order> {
    assert_eq!(book.want(asker, key(caller), CloneJobId(job)), [read(job, caller)]);
    book.mapped(CloneJobId(job), known, now)
}

/// A job runs for this caller, and a call of the same number waits for it.
fn running(book: &mut Book, n: u128, caller: &str) {
    let started = ask(book, asker(n), caller, n, known(mapping()), NOW);
    assert!(matches!(started[..], [Order::StartJob { job: CloneJobId(job), .. }] if job == n), "{started:?}");
}

fn failed(why: NoVoice, failure: Failure) -> JobEnd {
    JobEnd::Failed(why, failure)
}

#[test]
fn one_job_serves_every_call_of_a_caller_and_the_next_call_is_served_from_the_cache() {
    let mut book = book(4);
    assert_eq!(book.want(asker(1), key("a"), CloneJobId(1)), [read(1, "a")]);
    assert_eq!(book.want(asker(2), key("a"), CloneJobId(2)), []);
    let started = book.mapped(CloneJobId(1), known(mapping()), NOW);
    assert!(matches!(started[..], [Order::StartJob { job: CloneJobId(1), call: Some(CallId(1)), .. }]));
    assert_eq!(book.want(asker(3), key("a"), CloneJobId(3)), []);
    let told = book.ended(CloneJobId(1), cloned(), NOW);
    let clone = VoiceSource::Clone;
    assert_eq!(told, [ready(1, Some(1), clone), ready(2, Some(1), clone), ready(3, Some(1), clone)]);
    let told = ask(&mut book, asker(4), "a", 4, known(mapping()), NOW);
    assert_eq!(told, [ready(4, None, VoiceSource::Cache)]);
    assert_eq!(book.running(), 0);
}

#[test]
fn a_cached_voice_is_not_heard_after_its_time_its_mapping_or_its_consent() {
    let mut book = book(4);
    book.remember(key("a"), clone(), At(NOW.0 + 1));
    let mut asked = |n: u128, answer, now| ask(&mut book, asker(n), "a", n, answer, now);
    assert_eq!(asked(1, known(mapping()), NOW), [ready(1, None, VoiceSource::Cache)]);
    let unmapped = Some(Known { mapping: None, mark: None });
    assert_eq!(asked(2, unmapped, NOW), [missing(2, NoVoice::NoMapping)]);
    let withdrawn = Mapping { consented: Vec::new(), ..mapping() };
    assert_eq!(asked(3, known(withdrawn), NOW), [missing(3, NoVoice::NoConsent)]);
    assert_eq!(asked(4, None, NOW), [missing(4, NoVoice::CloneFailed)]);
    let started = asked(5, known(mapping()), At(NOW.0 + 1));
    assert!(matches!(started[..], [Order::StartJob { .. }]));
}

#[test]
fn a_cached_voice_of_another_sample_is_compared_before_it_is_used() {
    let mut book = book(4);
    book.remember(key("a"), clone(), At(NOW.0 + 1_000_000));
    let replaced = Known { mapping: Some(mapping()), mark: Some("2".into()) };
    let started = ask(&mut book, asker(1), "a", 1, Some(replaced.clone()), NOW);
    let [Order::StartJob { order, .. }] = &started[..] else { panic!("{started:?}") };
    assert_eq!(order.existing, Some((VoiceId::new("v"), "aa".to_owned())));
    let same = JobEnd::Unchanged { mark: Some("2".into()) };
    assert_eq!(book.ended(CloneJobId(1), same, NOW), [ready(1, None, VoiceSource::Cache)]);
    let told = ask(&mut book, asker(2), "a", 2, Some(replaced), NOW);
    assert_eq!(told, [ready(2, None, VoiceSource::Cache)], "its mark is known now");
    let elsewhere = Mapping { sample: "b.wav".into(), ..mapping() };
    book.remember(key("a"), clone(), At(NOW.0 + 1_000_000));
    let started = ask(&mut book, asker(3), "a", 3, known(elsewhere), NOW);
    assert!(matches!(started[..], [Order::StartJob { .. }]), "{started:?}");
    book.ended(CloneJobId(3), cloned(), NOW);
    let other = vec![Covered { sample_sha256: "bb".into(), consent: 2 }];
    let newly_agreed = Mapping { consented: other, ..mapping() };
    let started = ask(&mut book, asker(4), "a", 4, known(newly_agreed), NOW);
    assert!(matches!(started[..], [Order::StartJob { .. }]), "nobody agreed to this one: {started:?}");
}

#[test]
fn jobs_beyond_the_limit_wait_and_the_shortest_wait_goes_first() {
    let mut book = book(1);
    for (n, due) in [(1_u128, 30), (2, 20), (3, 10), (4, 40)] {
        let asker = Asker { due: At(NOW.0 + due), ..asker(n) };
        let orders = ask(&mut book, asker, &n.to_string(), n, known(mapping()), NOW);
        assert_eq!(orders.len(), usize::from(n == 1));
    }
    assert_eq!(book.clone_ahead(key("5"), CloneJobId(5)), [read(5, "5")]);
    assert_eq!(book.mapped(CloneJobId(5), known(mapping()), NOW), []);
    let orders = book.ended(CloneJobId(1), failed(NoVoice::NoSlot, Failure::Passing), NOW);
    assert_eq!(orders[0], missing(1, NoVoice::NoSlot));
    assert!(matches!(orders[1], Order::StartJob { job: CloneJobId(3), .. }));
    assert_eq!(book.wants_no_more(call(2)), [], "a queued job just leaves the queue");
    let orders = book.ended(CloneJobId(3), cloned(), NOW);
    assert!(matches!(orders[1], Order::StartJob { job: CloneJobId(4), .. }), "{orders:?}");
    let orders = book.ended(CloneJobId(4), cloned(), NOW);
    assert!(matches!(orders[1], Order::StartJob { job: CloneJobId(5), call: None, .. }), "{orders:?}");
    assert_eq!(book.ended(CloneJobId(5), cloned(), NOW), []);
    assert!(book.peek(&key("5"), NOW).is_some());
}

#[test]
fn no_more_jobs_run_than_the_provider_allows() {
    let mut book = book(4);
    book.allow(2);
    for n in 1..=3_u128 {
        let orders = ask(&mut book, asker(n), &n.to_string(), n, known(mapping()), NOW);
        assert_eq!(orders.len(), usize::from(n <= 2));
    }
    assert_eq!(book.running(), 2);
}

#[test]
fn a_job_that_nobody_waits_for_stops_only_before_its_upload() {
    let mut book = book(4);
    running(&mut book, 1, "a");
    assert_eq!(book.wants_no_more(call(1)), [Order::StopJob(CloneJobId(1), key("a"))]);
    running(&mut book, 2, "b");
    book.uploading(CloneJobId(2));
    assert_eq!(book.wants_no_more(call(2)), []);
    assert_eq!(book.ended(CloneJobId(2), cloned(), NOW), []);
    assert_eq!(book.peek(&key("b"), NOW), Some(&VoiceId::new("v")));
}

#[test]
fn a_late_job_releases_its_waiters_and_is_still_cached() {
    let mut book = book(4);
    running(&mut book, 1, "a");
    book.uploading(CloneJobId(1));
    assert_eq!(book.late(CloneJobId(1)), [missing(1, NoVoice::CloneTimeout)]);
    let joined = book.want(asker(2), key("a"), CloneJobId(2));
    assert_eq!(joined, [], "a call that comes meanwhile waits for the same job");
    let told = book.ended(CloneJobId(1), cloned(), NOW);
    assert_eq!(told, [ready(2, Some(1), VoiceSource::Clone)]);
}

#[test]
fn calls_wait_for_a_job_that_is_found_out_about_after_a_crash_and_are_looked_at_then() {
    let mut book = book(4);
    book.recover(key("a"), CloneJobId(1));
    assert_eq!(book.want(asker(1), key("a"), CloneJobId(2)), []);
    let told = book.ended(CloneJobId(1), cloned(), NOW);
    assert_eq!(told, [Order::AskAgain(asker(1), key("a"))], "nobody has read who may hear it");
    let told = ask(&mut book, asker(1), "a", 3, known(mapping()), NOW);
    assert_eq!(told, [ready(1, None, VoiceSource::Cache)]);
}

#[test]
fn forgetting_a_voice_makes_the_next_call_clone_again() {
    let mut book = book(4);
    book.remember(key("a"), clone(), At(NOW.0 + 1));
    assert!(book.forget(&key("a")));
    assert!(!book.forget(&key("a")));
    running(&mut book, 1, "a");
}

#[test]
fn a_sample_that_cannot_be_cloned_is_not_tried_again_until_it_is_another_one() {
    let mut book = book(4);
    running(&mut book, 1, "a");
    book.ended(CloneJobId(1), failed(NoVoice::SampleRefused, Failure::Lasting), NOW);
    let told = ask(&mut book, asker(2), "a", 2, known(mapping()), NOW);
    assert_eq!(told, [missing(2, NoVoice::SampleRefused)]);
    let replaced = Some(Known { mapping: Some(mapping()), mark: Some("2".into()) });
    let started = ask(&mut book, asker(3), "a", 3, replaced, NOW);
    assert!(matches!(started[..], [Order::StartJob { .. }]));
    book.ended(CloneJobId(3), failed(NoVoice::SampleRefused, Failure::Lasting), NOW);
    let replaced = Some(Known { mapping: Some(mapping()), mark: Some("2".into()) });
    let started = ask(&mut book, asker(4), "a", 4, replaced, NOW.plus(REFUSED_FOR));
    assert!(matches!(started[..], [Order::StartJob { .. }]), "not for ever");
    book.ended(CloneJobId(4), failed(NoVoice::CloneFailed, Failure::Passing), NOW);
    running(&mut book, 5, "a");
}

#[test]
fn who_may_hear_a_voice_is_asked_of_every_call_also_of_one_that_joins() {
    let mut book = book(4);
    let proof = |n| Asker { policy: VoicePolicy::Proof, ..asker(n) };
    let by_pin = Mapping { has_pin: true, ..mapping() };
    let needs = |n, way| Order::Tell(call(n), VoiceOutcome::NeedsProof(way));
    let told = ask(&mut book, proof(1), "a", 1, known(by_pin.clone()), NOW);
    assert_eq!(told, [needs(1, ProofWay::LegOrPin)]);
    let told = ask(&mut book, proof(2), "a", 2, known(mapping()), NOW);
    assert_eq!(told, [needs(2, ProofWay::Leg)]);
    let given = Asker { proof: Proof::Given, ..proof(3) };
    let started = ask(&mut book, given, "a", 3, known(by_pin.clone()), NOW);
    assert!(matches!(started[..], [Order::StartJob { .. }]));
    assert_eq!(book.want(proof(4), key("a"), CloneJobId(4)), [needs(4, ProofWay::LegOrPin)]);
    let by_number = Mapping { policy: Some(VoicePolicy::Number), ..mapping() };
    let started = ask(&mut book, proof(5), "b", 5, known(by_number), NOW);
    assert!(matches!(started[..], [Order::StartJob { .. }]), "the caller's own rule decides");
    let never = Mapping { policy: Some(VoicePolicy::Never), ..mapping() };
    let told = ask(&mut book, Asker { proof: Proof::Given, ..asker(6) }, "c", 6, known(never), NOW);
    assert_eq!(told, [missing(6, NoVoice::Unproven)]);
}

#[test]
fn what_is_revoked_is_not_uploaded_and_what_was_is_not_used() {
    let mut book = book(1);
    let no = NoVoice::NoConsent;
    running(&mut book, 1, "a");
    assert_eq!(ask(&mut book, asker(2), "b", 2, known(mapping()), NOW), []);
    assert_eq!(book.revoke(&key("b"), no), [missing(2, no)], "it was in the queue");
    assert_eq!(book.revoke(&key("a"), no), [missing(1, no), Order::StopJob(CloneJobId(1), key("a"))]);
    running(&mut book, 3, "a");
    book.uploading(CloneJobId(3));
    assert_eq!(book.revoke(&key("a"), no), [missing(3, no)]);
    assert_eq!(book.want(asker(4), key("a"), CloneJobId(4)), [missing(4, no)]);
    assert_eq!(book.ended(CloneJobId(3), cloned(), NOW), []);
    assert_eq!(book.peek(&key("a"), NOW), None);
    book.want(asker(5), key("a"), CloneJobId(5));
    assert_eq!(book.revoke(&key("a"), no), [missing(5, no)]);
    assert_eq!(book.mapped(CloneJobId(5), known(mapping()), NOW), [], "what was read before counts no more");
}

#[test]
fn a_provider_that_fails_is_left_alone_and_nobody_waits_for_it() {
    let mut book = book(1);
    for n in 1..=4_u128 {
        running(&mut book, n, "a");
        book.ended(CloneJobId(n), failed(NoVoice::CloneFailed, Failure::OfProvider), NOW);
    }
    running(&mut book, 5, "a");
    assert_eq!(ask(&mut book, asker(6), "b", 6, known(mapping()), NOW), []);
    let told = book.ended(CloneJobId(5), failed(NoVoice::CloneTimeout, Failure::OfProvider), NOW);
    assert_eq!(told, [missing(5, NoVoice::CloneTimeout), missing(6, NoVoice::BreakerOpen)]);
    assert!(book.leaves_provider_alone());
    let told = ask(&mut book, asker(7), "c", 7, known(mapping()), NOW);
    assert_eq!(told, [missing(7, NoVoice::BreakerOpen)]);
    book.remember(key("d"), clone(), At(NOW.0 + 1));
    let told = ask(&mut book, asker(8), "d", 8, known(mapping()), NOW);
    assert_eq!(told, [ready(8, None, VoiceSource::Cache)], "a cached voice needs no provider");
    let later = NOW.plus(Duration::from_secs(15));
    let started = ask(&mut book, asker(9), "c", 9, known(mapping()), later);
    assert!(matches!(started[..], [Order::StartJob { .. }]), "one finds out");
    assert_eq!(ask(&mut book, asker(10), "e", 10, known(mapping()), later).len(), 1);
    book.ended(CloneJobId(9), cloned(), later);
    running(&mut book, 11, "e");
}
