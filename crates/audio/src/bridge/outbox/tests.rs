//! Tests of the outbox.
#![allow(clippy::unwrap_used)] // A failed test is a failed test.

use super::*;

async fn drain(outbox: &Outbox) -> Vec<String> {
    let mut all = Vec::new();
    while !outbox.waiting.borrow().is_empty() {
        all.push(outbox.next().await.unwrap().as_str().to_owned());
    }
    all
}

fn audio(number: usize) -> OutgoingMessage {
    OutgoingMessage::Audio(number.to_string().into(), Duration::from_millis(60))
}

#[tokio::test]
async fn audio_that_is_too_old_is_dropped_and_control_messages_stay() {
    let outbox = Outbox::default();
    outbox.push(OutgoingMessage::Control("pong".into()));
    for number in 0..40 {
        outbox.push(audio(number));
    }
    assert_eq!(outbox.dropped(), Duration::from_millis(7 * 60));
    let all = drain(&outbox).await;
    assert_eq!((all.len(), all.first().unwrap().as_str()), (34, "pong"));
    assert_eq!((all.get(1).unwrap().as_str(), all.last().unwrap().as_str()), ("7", "39"));
}

#[tokio::test]
async fn control_messages_are_bounded_and_never_displace_audio() {
    let outbox = Outbox::default();
    outbox.push(audio(1));
    for number in 0..CONTROL_MAX + 3 {
        outbox.push(OutgoingMessage::Control(format!("word {number}").into()));
    }
    assert_eq!(outbox.dropped(), Duration::ZERO);
    let all = drain(&outbox).await;
    assert_eq!((all.len(), all.first().unwrap().as_str()), (CONTROL_MAX + 1, "1"));
    assert_eq!(all.get(1).unwrap(), "word 3");
}

#[tokio::test]
async fn no_message_follows_the_end() {
    let outbox = Outbox::default();
    outbox.push(OutgoingMessage::Control("late".into()));
    outbox.end();
    assert_eq!(outbox.next().await, None);
    outbox.ended().await;
}
