//! Renewal of the access token.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // A failed test is a failed test.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::{GrantedToken, KeeperTiming, TokenError, TokenEvent, TokenPublisher, keep};
use crate::threecx::access_token::AccessTokens;

/// A PBX with scripted answers; it repeats the last one.
struct Pbx {
    tokens: AccessTokens,
    asked: Rc<RefCell<Vec<Instant>>>,
    /// How long each answer was awaited.
    limits: Rc<RefCell<Vec<Duration>>>,
    news: mpsc::UnboundedReceiver<TokenEvent>,
    running: tokio::task::JoinHandle<()>,
}

fn life(millis: u64) -> Result<Duration, TokenError> {
    Ok(Duration::from_millis(millis))
}

fn down() -> Result<Duration, TokenError> {
    Err(TokenError::Unreachable("down".to_owned()))
}

fn wrong() -> Result<Duration, TokenError> {
    Err(TokenError::Refused { status: 400, said: String::new() })
}

fn timing() -> KeeperTiming {
    KeeperTiming {
        apart: Duration::from_millis(5),
        answer: [20, 20, 30, 40, 70].map(Duration::from_millis),
        retry: (Duration::from_millis(10), Duration::from_millis(10)),
        retry_refused: (Duration::from_millis(10), Duration::from_millis(10)),
        look_every: Duration::from_millis(2),
    }
}

const NEVER: Duration = Duration::from_secs(3600);

fn pbx(timing: KeeperTiming, answers: Vec<Result<Duration, TokenError>>) -> Pbx {
    let (tokens, desk) = TokenPublisher::channel();
    let (told, news) = mpsc::unbounded_channel();
    let asked = Rc::new(RefCell::new(Vec::new()));
    let asking = Rc::clone(&asked);
    let limits = Rc::new(RefCell::new(Vec::new()));
    let given = Rc::clone(&limits);
    let ask = async move |limit| {
        let turn = asking.borrow().len();
        asking.borrow_mut().push(Instant::now());
        given.borrow_mut().push(limit);
        let answer = answers.get(turn).or(answers.last()).unwrap().clone();
        answer.map(|life| GrantedToken { bearer: format!("token{}", turn + 1), life })
    };
    let running = actix::spawn(keep(desk, timing, ask, move |news| {
        let _ = told.send(news);
    }));
    Pbx { tokens, asked, limits, news, running }
}

fn run<F: Future>(test: F) -> F::Output {
    actix::System::new()
        .block_on(async { tokio::time::timeout(Duration::from_secs(30), test).await.unwrap() })
}

#[test]
fn tokens_that_are_revoked_again_and_again_are_contested_and_the_next_one_waits() {
    run(async {
        let mut pbx = pbx(timing(), vec![Ok(NEVER)]);
        for generation in 1..=3 {
            assert_eq!(pbx.news.recv().await.unwrap(), TokenEvent::Fresh { generation, life: NEVER });
            let token = pbx.tokens.current().await.unwrap();
            let tokens = pbx.tokens.clone();
            actix::spawn(async move { tokens.instead_of(&token).await.map(drop) });
        }
        let pause = Duration::from_secs(5);
        assert_eq!(pbx.news.recv().await.unwrap(), TokenEvent::Contested { times: 3, pause });
        assert_eq!(pbx.asked.borrow().len(), 3, "the fourth waits");
    });
}

#[test]
fn pitfall_22_a_token_is_renewed_before_it_expires_and_not_more_often() {
    run(async {
        let began = Instant::now();
        let mut pbx = pbx(timing(), vec![life(500), life(500), life(3_600_000)]);
        for generation in 1..=3 {
            let TokenEvent::Fresh { generation: told, .. } = pbx.news.recv().await.unwrap() else {
                panic!("no token")
            };
            assert_eq!(told, generation);
        }
        // Not before 4/5 of each lifetime.
        assert!(began.elapsed() >= Duration::from_millis(800), "{:?}", began.elapsed());
        assert_eq!(pbx.tokens.current().await.unwrap().header(), "Bearer token3");
        assert_eq!(pbx.asked.borrow().len(), 3);
    });
}

#[test]
fn a_renewal_waits_for_streams_to_end_but_not_for_ever() {
    run(async {
        let mut pbx = pbx(timing(), vec![life(1000)]);
        pbx.news.recv().await.unwrap();
        let (open, began) = (pbx.tokens.stream_opened(), Instant::now());
        pbx.news.recv().await.unwrap();
        // At 19/20; the clocks of test and keeper start a moment apart.
        assert!(began.elapsed() >= Duration::from_millis(850), "{:?}", began.elapsed());
        drop(open);
    });
}

#[test]
fn many_refusals_of_one_token_give_one_new_token() {
    run(async {
        let mut pbx = pbx(timing(), vec![Ok(NEVER)]);
        pbx.news.recv().await.unwrap();
        let old = pbx.tokens.current().await.unwrap();
        let waiting: Vec<_> = (0..50).map(|_| pbx.tokens.instead_of(&old)).collect();
        for token in futures_util::future::join_all(waiting).await {
            assert_eq!(token.unwrap().generation(), 2);
        }
        // A late refusal of a token that was replaced already.
        assert_eq!(pbx.tokens.instead_of(&old).await.unwrap().generation(), 2);
        let second = pbx.tokens.current().await.unwrap();
        assert_eq!(pbx.tokens.instead_of(&second).await.unwrap().generation(), 3);
        assert_eq!(pbx.asked.borrow().len(), 3);
    });
}

#[test]
fn forced_renewals_keep_their_distance() {
    run(async {
        let apart = Duration::from_millis(200);
        let mut pbx = pbx(KeeperTiming { apart, ..timing() }, vec![Ok(NEVER)]);
        pbx.news.recv().await.unwrap();
        // A third refusal within an hour is no accident any more.
        for _ in 0..2 {
            let token = pbx.tokens.current().await.unwrap();
            pbx.tokens.instead_of(&token).await.unwrap();
        }
        let asked = pbx.asked.borrow();
        for pair in asked.windows(2) {
            assert!(pair[1].duration_since(pair[0]) >= Duration::from_millis(100), "{asked:?}");
        }
    });
}

#[test]
fn a_failed_renewal_keeps_the_old_token_and_is_retried() {
    run(async {
        let mut pbx = pbx(timing(), vec![life(100), down(), down(), Ok(NEVER)]);
        pbx.news.recv().await.unwrap();
        for _ in 0..2 {
            let failed = TokenEvent::Failed(TokenError::Unreachable("down".to_owned()));
            assert_eq!(pbx.news.recv().await.unwrap(), failed);
            assert_eq!(pbx.tokens.current().await.unwrap().header(), "Bearer token1");
        }
        assert_eq!(pbx.news.recv().await.unwrap(), TokenEvent::Fresh { generation: 2, life: NEVER });
        let limits: Vec<u128> = pbx.limits.borrow().iter().map(Duration::as_millis).collect();
        assert_eq!(limits, [20, 20, 20, 30], "a slow PBX gets more time in the end");
    });
}

#[test]
fn a_refused_token_is_renewed_at_once_but_not_after_a_refused_secret() {
    run(async {
        let slow = (NEVER, NEVER);
        let timing = KeeperTiming { retry: slow, ..timing() };
        let mut passing = pbx(timing, vec![life(50), down(), Ok(NEVER)]);
        passing.news.recv().await.unwrap();
        passing.news.recv().await.unwrap();
        let old = passing.tokens.current().await.unwrap();
        assert_eq!(passing.tokens.instead_of(&old).await.unwrap().generation(), 2);

        let timing = KeeperTiming { retry_refused: slow, ..super::tests::timing() };
        let mut wrong = pbx(timing, vec![life(50), wrong(), Ok(NEVER)]);
        wrong.news.recv().await.unwrap();
        wrong.news.recv().await.unwrap();
        let old = wrong.tokens.current().await.unwrap();
        let hurried = tokio::time::timeout(Duration::from_millis(100), wrong.tokens.instead_of(&old)).await;
        assert!(hurried.is_err());
        assert_eq!(wrong.asked.borrow().len(), 2);
    });
}

#[test]
fn the_keeper_ends_with_the_last_handle() {
    run(async {
        for answers in [vec![Ok(NEVER)], vec![down()], vec![wrong()]] {
            let mut pbx = pbx(timing(), answers);
            pbx.news.recv().await.unwrap();
            drop(pbx.tokens);
            pbx.running.await.unwrap();
        }
    });
}
