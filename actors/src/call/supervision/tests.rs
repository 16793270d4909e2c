//! The places of listeners, and what the agent is sent.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

use serde_json::{Value, json};

use super::*;

#[test]
fn a_call_has_four_listeners_and_the_installation_32() {
    let listeners = Listeners::default();
    let mut seats: Vec<ListenerSeat> = (0..4).map(|_| listeners.take(CallId(1)).unwrap()).collect();
    assert!(listeners.take(CallId(1)).is_none());
    assert_eq!((listeners.of(CallId(1)), listeners.of(CallId(2))), (4, 0));
    for call in 2..9 {
        seats.extend((0..4).map(|_| listeners.take(CallId(call)).unwrap()));
    }
    assert!(listeners.take(CallId(9)).is_none());
    seats.remove(0);
    assert_eq!(listeners.of(CallId(1)), 3);
    assert!(listeners.take(CallId(9)).is_some());
    seats.clear();
    assert!(listeners.seats().is_empty());
}

#[test]
fn context_is_sent_as_it_is_and_a_sentence_as_an_instruction() {
    let message = |what| serde_json::from_str::<Value>(&message_to_agent(what, "We close at six.")).unwrap();
    let context = message(Telling::Context);
    assert_eq!(context, json!({ "type": "contextual_update", "text": "We close at six." }));
    let say = message(Telling::Say);
    let text = say.get("text").and_then(Value::as_str).unwrap();
    assert_eq!(say.get("type"), Some(&json!("user_message")));
    assert!(text.contains("instruction of the operator") && text.ends_with(") We close at six."), "{text}");
}
