//! What is left of a flood of a library.
#![allow(clippy::unwrap_used, reason = "a test may stop at what it did not expect")]

use std::sync::Arc;

use slog::{RecordLocation, b, o};

use super::*;

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<(Level, String)>>>);

impl Drain for Lines {
    type Ok = ();
    type Err = Never;

    fn log(&self, record: &Record<'_>, _: &OwnedKVList) -> Result<(), Never> {
        self.0.lock().unwrap().push((record.level(), record.tag().to_owned()));
        Ok(())
    }
}

fn say(drain: &Libraries<Lines>, target: &str, level: Level) {
    let location = RecordLocation { file: "", line: 0, column: 0, function: "", module: "" };
    let about = RecordStatic { location: &location, tag: target, level };
    drain.log(&Record::new(&about, &format_args!("stream error"), b!()), &OwnedKVList::from(o!())).unwrap();
}

#[test]
fn a_target_has_one_line_a_second() {
    let lines = Lines::default();
    let drain = Libraries::new(lines.clone());
    for _ in 0..1_000 {
        say(&drain, "actix_http::h1::dispatcher", Level::Error);
        say(&drain, "rustls::conn", Level::Error);
        say(&drain, "", Level::Error);
    }
    let lines = lines.0.lock().unwrap();
    let of = |target: &str| -> Vec<Level> {
        lines.iter().filter(|(_, tag)| tag == target).map(|(level, _)| *level).collect()
    };
    // The thousand may take more than a second on a busy machine.
    assert!((1..20).contains(&of("actix_http::h1::dispatcher").len()));
    assert!(of("actix_http::h1::dispatcher").iter().all(|level| *level == Level::Info), "a client's mistake");
    assert!(of("rustls::conn").iter().all(|level| *level == Level::Error));
    assert_eq!(of("").len(), 1_000, "lines of precall are all kept");
}

#[test]
fn the_next_line_says_how_many_are_missing() {
    let drain = Libraries::new(Lines::default());
    let begun = Instant::now();
    assert_eq!(drain.dropped_before("x", begun), Some(0));
    assert_eq!(drain.dropped_before("x", begun), None);
    assert_eq!(drain.dropped_before("x", begun), None);
    assert_eq!(drain.dropped_before("x", begun + EVERY), Some(2));
    assert_eq!(drain.dropped_before("x", begun + EVERY + EVERY), Some(0));
    for n in 0..10_000 {
        drain.dropped_before(&n.to_string(), begun);
    }
    assert!(drain.seen.lock().unwrap().len() <= TARGETS_MAX);
}
