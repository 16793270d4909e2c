//! Asks the service again and again, and tells the board what it said. The event stream says when to ask at once.

use std::collections::{HashSet, VecDeque};
use std::rc::Rc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::{Notify, mpsc};
use tokio::time::{sleep, timeout};

use super::picture::{EndedCall, News};
use crate::cli::live_answer::{FAILED_MOST, FailedCall, Live, failed_since};
use crate::cli::service::{Session, in_url, now};

/// How often the live calls are asked for, if the event stream says nothing.
const EVERY: Duration = Duration::from_secs(1);
/// Pause after each answer, however much happens.
const PAUSE: Duration = Duration::from_millis(250);
/// The event stream has a comment every few seconds. After this silence it is opened anew.
const STREAM_SILENT: Duration = Duration::from_secs(20);
/// Pause before the event stream is opened again.
const STREAM_AGAIN: Duration = Duration::from_secs(3);
/// The calls that are over are listed in every so many rounds of a second, the failures counted.
const LIST_EVERY: u32 = 5;
const COUNT_EVERY: u32 = 15;
/// Calls that are over, in one list: those that came in within the last hours.
const LISTED_MOST: usize = 200;
const LISTED_HOURS: i64 = 2;
/// Calls that have just left the live ones, and are read one by one: waiting, in one round, and how often.
const GONE_MOST: usize = 200;
const GONE_AT_ONCE: usize = 10;
const GONE_TRIES: u32 = 5;

/// Watches the service until the receiver is dropped.
pub(super) fn watch(session: &Rc<Session>) -> mpsc::Receiver<News> {
    let (tell, news) = mpsc::channel(64);
    let (over, gone) = mpsc::channel(GONE_MOST);
    let nudge = Rc::new(Notify::new());
    actix_rt::spawn(follow_live(Rc::clone(session), tell.clone(), Rc::clone(&nudge), over));
    actix_rt::spawn(follow_events(Rc::clone(session), tell.clone(), nudge));
    actix_rt::spawn(follow_ended(Rc::clone(session), tell, gone));
    news
}

/// One round of everything, for `--once`.
pub(super) async fn look(session: &Session, live: Live) -> Vec<News> {
    vec![
        News::Failures(failures(session).await),
        News::Ended(ended(session).await),
        News::Live(Ok(Box::new(live))),
    ]
}

async fn follow_live(
    session: Rc<Session>,
    tell: mpsc::Sender<News>,
    nudge: Rc<Notify>,
    over: mpsc::Sender<String>,
) {
    let mut before: HashSet<String> = HashSet::new();
    loop {
        let asked = session.get::<Live>("live").await;
        if let Ok(live) = &asked {
            let lives: HashSet<String> = live.items.iter().map(|call| call.id.clone()).collect();
            for id in before.difference(&lives) {
                // If too many end at once, the list has them.
                let _full = over.try_send(id.clone());
            }
            before = lives;
        }
        let asked = asked.map(Box::new).map_err(|refusal| refusal.words);
        if tell.send(News::Live(asked)).await.is_err() {
            return;
        }
        sleep(PAUSE).await;
        let _nothing_happened = timeout(EVERY.saturating_sub(PAUSE), nudge.notified()).await;
    }
}

/// Without the stream the board is up to a second late. It is never needed for what the board shows.
async fn follow_events(session: Rc<Session>, tell: mpsc::Sender<News>, nudge: Rc<Notify>) {
    while !tell.is_closed() {
        if let Ok(mut events) = session.events().await {
            while let Ok(Some(may_be_news)) = timeout(STREAM_SILENT, events.next()).await {
                if tell.is_closed() {
                    return;
                }
                if may_be_news {
                    nudge.notify_one();
                }
            }
        }
        sleep(STREAM_AGAIN).await;
    }
}

async fn follow_ended(session: Rc<Session>, tell: mpsc::Sender<News>, mut gone: mpsc::Receiver<String>) {
    let mut waiting: VecDeque<(String, u32)> = VecDeque::new();
    for round in (0_u32..=u32::MAX).cycle() {
        while let Ok(id) = gone.try_recv() {
            waiting.push_back((id, GONE_TRIES));
        }
        waiting.truncate(GONE_MOST);
        if round % LIST_EVERY == 0 && tell.send(News::Ended(ended(&session).await)).await.is_err() {
            return;
        }
        if round % COUNT_EVERY == 0 && tell.send(News::Failures(failures(&session).await)).await.is_err() {
            return;
        }
        let (mut over, mut again) = (Vec::new(), Vec::new());
        for (id, tries) in waiting.drain(..GONE_AT_ONCE.min(waiting.len())) {
            match session.get::<EndedCall>(&format!("calls/{}", in_url(&id))).await {
                Ok(call) if call.ended_at.is_some() => over.push(call),
                // Its end is not in the database yet.
                Ok(_) | Err(_) if tries > 1 => again.push((id, tries.saturating_sub(1))),
                Ok(_) | Err(_) => {}
            }
        }
        waiting.extend(again);
        if !over.is_empty() && tell.send(News::Ended(over)).await.is_err() {
            return;
        }
        if tell.is_closed() {
            return;
        }
        sleep(EVERY).await;
    }
}

async fn failures(session: &Session) -> Option<Vec<FailedCall>> {
    list(session, &failed_since(now()), FAILED_MOST).await
}

async fn ended(session: &Session) -> Vec<EndedCall> {
    let since = now().saturating_sub(SignedDuration::from_hours(LISTED_HOURS)).unwrap_or(Timestamp::MIN);
    let query = format!("live=false&since={}", in_url(&since.to_string()));
    list(session, &query, LISTED_MOST).await.unwrap_or_default()
}

/// The calls that fit; `None` if the service could not read them.
async fn list<T: DeserializeOwned>(session: &Session, query: &str, most: usize) -> Option<Vec<T>> {
    let items = session.list("calls", query, most).await.ok()?;
    serde_json::from_value(Value::Array(items)).ok()
}
