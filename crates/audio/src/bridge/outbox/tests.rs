//! Tests of outbox.
#![allow(clippy::unwrap_used)] // A failed test is a failed test.

use super::*;

async fn drain(letters: &Letterbox) -> Vec<String> {
    let mut all = Vec::new();
    while !letters.waiting.borrow().is_empty() {
        all.push(letters.next().await.unwrap().as_str().to_owned());
    }
    all
}

fn audio(number: usize) -> Letter {
    Letter::Audio(number.to_string().into(), Duration::from_millis(60))
}

#[tokio::test]
async fn audio_that_is_too_old_goes_first_and_words_stay() {
    let letters = Letterbox::default();
    letters.put(Letter::Word("pong".into()));
    for number in 0..40 {
        letters.put(audio(number));
    }
    assert_eq!(letters.dropped(), Duration::from_millis(7 * 60));
    let all = drain(&letters).await;
    assert_eq!((all.len(), all.first().unwrap().as_str()), (34, "pong"));
    assert_eq!((all.get(1).unwrap().as_str(), all.last().unwrap().as_str()), ("7", "39"));
}

#[tokio::test]
async fn words_are_bounded_too_and_cost_no_audio() {
    let letters = Letterbox::default();
    letters.put(audio(1));
    for number in 0..MOST_WORDS + 3 {
        letters.put(Letter::Word(format!("word {number}").into()));
    }
    assert_eq!(letters.dropped(), Duration::ZERO);
    let all = drain(&letters).await;
    assert_eq!((all.len(), all.first().unwrap().as_str()), (MOST_WORDS + 1, "1"));
    assert_eq!(all.get(1).unwrap(), "word 3");
}

#[tokio::test]
async fn nothing_follows_an_end() {
    let letters = Letterbox::default();
    letters.put(Letter::Word("late".into()));
    letters.end();
    assert_eq!(letters.next().await, None);
    letters.ended().await;
}
