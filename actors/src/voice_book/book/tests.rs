//! The voice book's rules, one test each.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // A test that cannot go on should stop.

use super::*;

fn book(concurrency: usize) -> Book {
    Book::new(BookLimits {
        concurrency,
        capacity: NonZeroUsize::new(8).unwrap(),
        ttl: Duration::from_secs(86_400),
        consent: ConsentRule::Required,
    })
}

fn key(caller: &str) -> VoiceKey {
    VoiceKey { account: "default".into(), caller: caller.into() }
}

fn mapping() -> Option<Option<Mapping>> {
    Some(Some(Mapping { sample: "a.wav".into(), consented: true }))
}

fn call(n: u128) -> CallId {
    CallId(n)
}

fn missing(n: u128, why: NoVoice) -> Order {
    Order::Tell(call(n), VoiceOutcome::Missing(why))
}

fn ready(n: u128, job: Option<u128>, source: VoiceSource) -> Order {
    let voice = VoiceId::new("v");
    Order::Tell(call(n), VoiceOutcome::Ready { voice, job: job.map(JobId), source })
}

const NOW: At = At(1_000_000);

#[test]
fn one_job_serves_every_call_of_a_caller_and_the_next_call_is_served_from_the_cache() {
    let mut book = book(4);
    assert_eq!(book.want(call(1), key("a"), JobId(1)), [Order::ReadMapping(key("a"))]);
    assert_eq!(book.want(call(2), key("a"), JobId(2)), []);
    let started = book.mapped(&key("a"), mapping(), NOW);
    assert!(matches!(started[..], [Order::StartJob { job: JobId(1), .. }]));
    assert_eq!(book.want(call(3), key("a"), JobId(3)), []);
    let told = book.ended(JobId(1), JobEnd::Cloned(VoiceId::new("v")), NOW);
    let clone = VoiceSource::Clone;
    assert_eq!(told, [ready(1, Some(1), clone), ready(2, Some(1), clone), ready(3, Some(1), clone)]);
    book.want(call(4), key("a"), JobId(4));
    assert_eq!(book.mapped(&key("a"), mapping(), NOW), [ready(4, None, VoiceSource::Cache)]);
    assert_eq!(book.running(), 0);
}

#[test]
fn a_cached_voice_is_not_heard_after_its_time_its_mapping_or_its_consent() {
    let mut book = book(4);
    book.remember(key("a"), VoiceId::new("v"), At(NOW.0 + 1));
    let mut ask = |n: u128, answer, now| {
        book.want(call(n), key("a"), JobId(n));
        book.mapped(&key("a"), answer, now)
    };
    assert_eq!(ask(1, mapping(), NOW), [ready(1, None, VoiceSource::Cache)]);
    assert_eq!(ask(2, Some(None), NOW), [missing(2, NoVoice::NoMapping)]);
    let withdrawn = Some(Some(Mapping { sample: "a.wav".into(), consented: false }));
    assert_eq!(ask(3, withdrawn, NOW), [missing(3, NoVoice::NoConsent)]);
    assert_eq!(ask(4, None, NOW), [missing(4, NoVoice::CloneFailed)]);
    assert!(matches!(ask(5, mapping(), At(NOW.0 + 1))[..], [Order::StartJob { .. }]));
}

#[test]
fn jobs_beyond_the_limit_wait_for_their_turn() {
    let mut book = book(1);
    for n in 1..=3_u128 {
        book.want(call(n), key(&n.to_string()), JobId(n));
        let orders = book.mapped(&key(&n.to_string()), mapping(), NOW);
        assert_eq!(orders.len(), usize::from(n == 1));
    }
    let orders = book.ended(JobId(1), JobEnd::Failed(NoVoice::NoSlot), NOW);
    assert_eq!(orders[0], missing(1, NoVoice::NoSlot));
    assert!(matches!(orders[1], Order::StartJob { job: JobId(2), .. }));
    assert_eq!(book.wants_no_more(call(3)), [], "a queued job just leaves the queue");
    assert_eq!(book.ended(JobId(2), JobEnd::Failed(NoVoice::CloneFailed), NOW).len(), 1);
}

#[test]
fn a_job_that_nobody_waits_for_stops_only_before_its_upload() {
    let mut book = book(4);
    book.want(call(1), key("a"), JobId(1));
    book.mapped(&key("a"), mapping(), NOW);
    assert_eq!(book.wants_no_more(call(1)), [Order::StopJob(JobId(1))]);
    book.want(call(2), key("b"), JobId(2));
    book.mapped(&key("b"), mapping(), NOW);
    book.uploading(JobId(2));
    assert_eq!(book.wants_no_more(call(2)), []);
    assert_eq!(book.ended(JobId(2), JobEnd::Cloned(VoiceId::new("v")), NOW), []);
    assert_eq!(book.peek(&key("b"), NOW), Some(&VoiceId::new("v")));
}

#[test]
fn a_late_job_releases_its_waiters_and_is_still_cached() {
    let mut book = book(4);
    book.want(call(1), key("a"), JobId(1));
    book.mapped(&key("a"), mapping(), NOW);
    book.uploading(JobId(1));
    assert_eq!(book.late(JobId(1)), [missing(1, NoVoice::CloneTimeout)]);
    assert_eq!(
        book.want(call(2), key("a"), JobId(2)),
        [],
        "a call that comes meanwhile waits for the same job"
    );
    let told = book.ended(JobId(1), JobEnd::Cloned(VoiceId::new("v")), NOW);
    assert_eq!(told, [ready(2, Some(1), VoiceSource::Clone)]);
}

#[test]
fn calls_wait_for_a_job_that_is_found_out_about_after_a_crash() {
    let mut book = book(4);
    book.recover(key("a"), JobId(1));
    assert_eq!(book.want(call(1), key("a"), JobId(2)), []);
    let told = book.ended(JobId(1), JobEnd::Cloned(VoiceId::new("v")), NOW);
    assert_eq!(told, [ready(1, Some(1), VoiceSource::Clone)]);
}

#[test]
fn forgetting_a_voice_makes_the_next_call_clone_again() {
    let mut book = book(4);
    book.remember(key("a"), VoiceId::new("v"), At(NOW.0 + 1));
    assert!(book.forget(&key("a")));
    assert!(!book.forget(&key("a")));
    book.want(call(1), key("a"), JobId(1));
    assert!(matches!(book.mapped(&key("a"), mapping(), NOW)[..], [Order::StartJob { .. }]));
}
