//! Tests of the closed sets: nothing makes a new name.
#![allow(clippy::unwrap_used, reason = "a failing test may panic")]

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use super::{Endpoint, RequestEnd, RequestWatch};

#[test]
fn statuses_make_no_new_names() {
    let seen = Arc::new(Mutex::new(HashSet::new()));
    let to = Arc::clone(&seen);
    let observer = move |endpoint: Endpoint, end: RequestEnd, _| {
        to.lock().unwrap().insert((endpoint.service(), endpoint.name(), endpoint.peer(), end.name()));
    };
    let watch = RequestWatch::new(Arc::new(observer));
    drop(watch.begin(Endpoint::OtherOfElevenLabs));
    watch.begin(Endpoint::RouteTo).ended(RequestEnd::Status(299));
    let expected =
        [("elevenlabs", "other", "elevenlabs", "unanswered"), ("threecx", "route_to", "3cx", "2xx")];
    assert_eq!(*seen.lock().unwrap(), HashSet::from(expected));
    let names: HashSet<_> = (0..=u16::MAX).map(|status| RequestEnd::Status(status).name()).collect();
    assert!(names.len() <= 12, "{names:?}");
}
