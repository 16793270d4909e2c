//! The board's picture at several sizes, and what the keys do.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop at what it did not expect")]

use jiff::{SignedDuration, Timestamp};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::style::{Color, Modifier};
use serde_json::{Value, json};

use super::draw::{as_text, draw};
use super::picture::{News, Picture};
use super::rows::{Mark, Sort, rows};
use super::text::{fitted, flowed, wrapped};
use super::view::{Key, Order, Pane, View};

/// The service's clock is an hour ahead of this host's.
const HERE: &str = "2026-11-29T11:00:00Z";
const CALLER: &str = "+493055501234";

fn here() -> Timestamp {
    HERE.parse().unwrap()
}

fn later(seconds: i64) -> Timestamp {
    here() + SignedDuration::from_secs(seconds)
}

fn call(id: &str, line: &str, state: &str, offered: &str, deadline: &str) -> Value {
    json!({
        "id": id, "caller": "+49*****234", "line": line, "route": "bridge", "state": state,
        "state_since": "2026-11-29T11:59:55Z", "voice": "awaited", "voice_missing": null, "awaits_voice": true,
        "voice_decided_at": null, "offered_at": offered, "deadline_at": deadline,
        "last_event": "greeting_started", "last_event_at": "2026-11-29T11:59:56Z",
    })
}

fn over(id: &str, status: &str, cause: &str, blame: Option<&str>, ended: &str) -> Value {
    json!({
        "id": id, "caller_id": CALLER, "line": "shop", "route": "bridge", "status": status, "cause": cause,
        "blame": blame, "voice_missing": "no_consent", "cloned_voice_id": null,
        "started_at": "2026-11-29T11:58:00Z", "ended_at": ended,
    })
}

fn live(problems: &Value, items: &Value) -> News {
    let answer = json!({
        "now": "2026-11-29T12:00:00Z", "items": items,
        "health": {
            "status": "ok", "database": "ok", "elevenlabs": "error", "threecx": "not_configured", "spool": "ok",
            "ready": true, "standby": false, "draining": false, "problems": problems, "version": "0.1.0",
            "capacity": {
                "live_calls": { "used": 2, "limit": 500, "short": false },
                "voice_slots": { "used": 30, "limit": 30, "short": false, "age_seconds": 240 },
                "budgets": [], "spool_free_bytes": 7,
            },
        },
    });
    News::Live(Ok(serde_json::from_value(answer).unwrap()))
}

/// Two live calls, one that failed and one that was completed, and a problem.
fn picture() -> Picture {
    let mut picture = Picture::of("http://127.0.0.1:3006");
    let problem = json!({
        "area": "clone", "since": "2026-11-29T11:58:00Z", "words": "no free voice slot", "remedy": "Delete voices.",
        "failed": 3, "succeeded": 1, "call": "0199",
    });
    let calls = json!([
        call("01", "shop", "conversing", "2026-11-29T11:59:00Z", "2026-11-29T12:09:00Z"),
        call("02", "desk", "greeting", "2026-11-29T11:59:50Z", "2026-11-29T12:00:03Z"),
    ]);
    picture.take(live(&json!([problem]), &calls), here());
    let failed = json!([{ "cause": "no_leg", "blame": "pbx" }, { "cause": "no_leg", "blame": "pbx" }]);
    picture.take(News::Failures(Some(serde_json::from_value(failed).unwrap())), here());
    let ended = json!([
        over("03", "failed", "no_leg", Some("pbx"), "2026-11-29T11:59:30Z"),
        over("04", "completed", "completed", None, "2026-11-29T11:59:40Z"),
        over("05", "completed", "completed", None, "2026-11-29T11:50:00Z"),
    ]);
    picture.take(News::Ended(serde_json::from_value(ended).unwrap()), here());
    picture
}

fn terminal(width: u16, height: u16) -> Terminal<TestBackend> {
    Terminal::new(TestBackend::new(width, height)).unwrap()
}

fn shown(picture: &Picture, view: &View, width: u16, height: u16) -> String {
    let mut terminal = terminal(width, height);
    terminal.draw(|frame| draw(frame.area(), frame.buffer_mut(), picture, view, here())).unwrap();
    as_text(terminal.backend().buffer())
}

fn says(text: &str, all: &[&str]) {
    for words in all {
        assert!(text.contains(words), "{words} is not in\n{text}");
    }
}

#[test]
fn a_usual_terminal_shows_problems_first_and_then_every_call() {
    assert_eq!(
        shown(&picture(), &View::default(), 80, 24),
        "\
precall takes calls  ● precall ok  ● database ok  ✖ ElevenLabs error
  ○ 3CX not configured  ● spool ok  ● bypass ok  ✖ clone error  ● handoff ok
  ● greeting ok  ● prompts ok  ● agent ok  ● webhooks ok  ● storage ok
  ● host ok  ● alerts ok  ● configuration ok
clone: no free voice slot (for 2:00 min), 3 of 4 in ten minutes
  To do: Delete voices. The last call: 0199
On the line: 2  1 conversing  1 greeting
Failed in the last hour: 2  2 no leg (pbx)
Capacity:  live calls 2 of 500  voice slots 30 of 30, told 4:00 min ago
precall 0.1.0 at http://127.0.0.1:3006, 2026-11-29 12:00:00 UTC
  caller       line  state         for         deadline  clone
  +49*****234  shop  conversing    5.0 s       9:00 min  waits 1:00 min
! +49*****234  desk  greeting      5.0 s       3.0 s     waits 10.0 s
  +49*****234  shop  completed     20.0 s ago            no consent
x +49*****234  shop  no leg (pbx)  30.0 s ago            no consent








q quit  Enter why  h hang up  f only failed  s sort (by age)  ? help
"
    );
}

#[test]
fn a_wide_terminal_shows_every_column() {
    let text = shown(&picture(), &View::default(), 200, 60);
    says(
        &text,
        &[
            "caller",
            "line",
            "route",
            "last event",
            "id",
            "bridge",
            "greeting started, 4.0 s ago",
            "ended after",
        ],
    );
    assert!(!text.contains(&CALLER[1..]), "numbers are masked");
    assert!(!text.contains("05"), "it ended ten minutes ago\n{text}");
}

#[test]
fn no_size_stops_the_board() {
    let picture = picture();
    let mut views = vec![View::default(), View { only_failed: true, ..View::default() }];
    for pane in [
        Pane::Help,
        Pane::Why { call: "01".to_owned(), text: None, scroll: 0 },
        Pane::Why { call: "01".to_owned(), text: Some("A long story. ".repeat(500)), scroll: 9_999 },
        Pane::HangUp { call: "01".to_owned(), caller: "+49*****234".to_owned() },
    ] {
        views.push(View { pane, ..View::default() });
    }
    for (width, height) in
        [(0, 0), (0, 9), (9, 0), (1, 1), (2, 1), (1, 2), (5, 3), (20, 5), (300, 3), (3, 100), (200, 60)]
    {
        for view in &views {
            let text = shown(&picture, view, width, height);
            assert_eq!(
                text.lines().count(),
                if width == 0 { 0 } else { usize::from(height) },
                "{width}x{height}"
            );
        }
        shown(&Picture::of("http://127.0.0.1:3006"), &View::default(), width, height);
    }
}

#[test]
fn a_small_terminal_says_that_it_is_too_small_and_still_shows_calls() {
    assert_eq!(
        shown(&picture(), &View::default(), 20, 5),
        "\
precall takes calls
  ● precall ok
31 more lines: make
  caller
q quit  Enter why  h
"
    );
    let text = shown(&picture(), &View::default(), 40, 12);
    says(&text, &["more lines: make the terminal higher", "+49*****234  conversing", "q quit"]);
}

#[test]
fn a_terminal_that_changes_its_size_is_drawn_anew() {
    let (picture, view) = (picture(), View::default());
    let mut terminal = terminal(200, 60);
    for (width, height) in [(200, 60), (20, 5), (1, 1), (80, 24)] {
        terminal.backend_mut().resize(width, height);
        terminal.draw(|frame| draw(frame.area(), frame.buffer_mut(), &picture, &view, here())).unwrap();
    }
    assert_eq!(as_text(terminal.backend().buffer()), shown(&picture, &view, 80, 24));
}

#[test]
fn a_silent_service_is_named_and_its_last_picture_is_old() {
    let mut picture = picture();
    picture.take(News::Live(Err("http://127.0.0.1:3006/api/v1/live does not answer".to_owned())), later(10));
    picture.take(News::Live(Err("connection refused".to_owned())), later(20));
    let mut terminal = terminal(120, 30);
    let view = View::default();
    terminal.draw(|frame| draw(frame.area(), frame.buffer_mut(), &picture, &view, later(25))).unwrap();
    let buffer = terminal.backend().buffer().clone();
    says(
        &as_text(&buffer),
        &[
            "precall does not answer for 15.0 s. What you see is old: it is from 12:00:00 UTC. Trying again.",
            "connection refused",
            // As they were at the last answer.
            "9:00 min",
        ],
    );
    assert_eq!(buffer[(0, 0)].fg, Color::Red);
    let row = (0..30).find(|y| buffer[(2, *y)].symbol() == "+").unwrap();
    assert_eq!(buffer[(2, row)].fg, Color::DarkGray, "the calls are grey");

    picture.take(live(&json!([]), &json!([])), later(30));
    let text = shown(&picture, &view, 120, 30);
    assert!(!text.contains("does not answer"), "{text}");
    says(&text, &["On the line: 0"]);
}

#[test]
fn before_the_first_answer_the_board_says_what_it_waits_for() {
    let mut picture = Picture::of("http://127.0.0.1:3006");
    says(&shown(&picture, &View::default(), 80, 24), &["asking http://127.0.0.1:3006...", "no calls"]);
    picture.take(News::Live(Err("connection refused".to_owned())), here());
    says(
        &shown(&picture, &View::default(), 120, 24),
        &["Nothing is known yet. Trying again. connection refused"],
    );
}

#[test]
fn failures_that_cannot_be_counted_are_not_shown_as_none() {
    let mut picture = picture();
    picture.take(News::Failures(None), here());
    says(&shown(&picture, &View::default(), 80, 24), &["Failed in the last hour: not known, the database"]);
}

#[test]
fn failed_calls_are_marked_and_ended_ones_grey() {
    let mut terminal = terminal(100, 30);
    let (picture, view) = (picture(), View::default());
    terminal.draw(|frame| draw(frame.area(), frame.buffer_mut(), &picture, &view, here())).unwrap();
    let buffer = terminal.backend().buffer();
    let text = as_text(buffer);
    let row =
        |words: &str| u16::try_from(text.lines().position(|line| line.contains(words)).unwrap()).unwrap();
    assert_eq!(buffer[(0, row("no leg (pbx)  30"))].symbol(), "x");
    assert_eq!(buffer[(2, row("no leg (pbx)  30"))].fg, Color::Red);
    assert_eq!(buffer[(2, row("completed  "))].fg, Color::DarkGray);
    assert_eq!(buffer[(2, row("! +49"))].fg, Color::Yellow);
    assert!(
        buffer[(2, row("+49*****234  shop"))].modifier.contains(Modifier::REVERSED),
        "the first is chosen"
    );
}

#[test]
fn the_rows_are_sorted_as_asked() {
    let picture = picture();
    let ids = |sort, only_failed| {
        let rows = rows(&picture, sort, only_failed, picture.now(here()));
        rows.into_iter().map(|row| row.id).collect::<Vec<_>>()
    };
    assert_eq!(ids(Sort::Age, false), ["01", "02", "04", "03"]);
    assert_eq!(ids(Sort::Deadline, false), ["02", "01", "04", "03"]);
    assert_eq!(ids(Sort::State, false), ["02", "01", "04", "03"]);
    assert_eq!(ids(Sort::Line, false), ["02", "01", "04", "03"]);
    assert_eq!(ids(Sort::Age, true), ["03"]);
}

#[test]
fn a_call_that_is_live_again_is_not_shown_as_over() {
    let mut picture = picture();
    let again = json!([call("03", "shop", "conversing", "2026-11-29T11:58:00Z", "2026-11-29T12:09:00Z")]);
    picture.take(live(&json!([]), &again), here());
    let rows = rows(&picture, Sort::Age, false, picture.now(here()));
    assert_eq!(
        rows.iter().filter(|row| row.id == "03").map(|row| row.mark).collect::<Vec<_>>(),
        [Mark::Live]
    );
}

#[test]
fn old_calls_and_too_many_calls_are_forgotten() {
    let mut picture = picture();
    let many: Vec<Value> = (0..900)
        .map(|n| {
            over(
                &format!("many{n:03}"),
                "completed",
                "completed",
                None,
                &format!("2026-11-29T11:59:{:02}Z", n / 20),
            )
        })
        .collect();
    picture.take(News::Ended(serde_json::from_value(json!(many)).unwrap()), here());
    assert_eq!(picture.ended.len(), 500);
    assert!(picture.ended.contains_key("many899"), "the newest stay");
    picture.take(News::Failures(None), later(600));
    assert_eq!(picture.ended.len(), 0);
}

#[test]
fn keys_move_and_the_choice_stays_with_its_call() {
    let picture = picture();
    let mut view = View::default();
    let of = |view: &View| rows(&picture, view.sort, view.only_failed, picture.now(here()));
    let press = |view: &mut View, key: Key| {
        let rows = of(view);
        view.press(key, &rows)
    };
    let chosen = |view: &View| view.chosen(&of(view)).map(|at| of(view)[at].id.clone());
    for (key, id) in [
        (Key::Letter('j'), "02"),
        (Key::Down, "04"),
        (Key::Letter('k'), "02"),
        (Key::Letter('s'), "02"),
        (Key::Up, "02"),
        (Key::Last, "03"),
        (Key::Down, "03"),
        (Key::Letter('g'), "02"),
        (Key::PageDown, "03"),
        (Key::PageUp, "02"),
    ] {
        assert_eq!(press(&mut view, key), None);
        assert_eq!(chosen(&view).as_deref(), Some(id), "{key:?}");
    }
    press(&mut view, Key::Letter('f'));
    assert_eq!(
        chosen(&view).as_deref(),
        Some("03"),
        "the chosen call is not shown, so the row in its place is"
    );
    assert_eq!(View::default().chosen(&[]), None);
    assert_eq!(View::default().press(Key::Letter('h'), &[]), None, "nothing to hang up");
    assert_eq!(press(&mut view, Key::Letter('q')), Some(Order::Quit));
    assert_eq!(press(&mut View::default(), Key::Escape), Some(Order::Quit));
}

#[test]
fn a_call_is_hung_up_only_after_a_yes() {
    let picture = picture();
    let rows = rows(&picture, Sort::Age, false, picture.now(here()));
    let mut view = View::default();
    assert_eq!(view.press(Key::Letter('h'), &rows), None);
    says(&shown(&picture, &view, 80, 24), &["Hang up the call of +49*****234? y/n"]);
    assert_eq!(view.press(Key::Letter('n'), &rows), None);
    says(&shown(&picture, &view, 80, 24), &["The call goes on."]);
    view.press(Key::Letter('h'), &rows);
    assert_eq!(view.press(Key::Enter, &rows), None, "only y says yes");
    view.press(Key::Letter('h'), &rows);
    assert_eq!(view.press(Key::Letter('y'), &rows), Some(Order::HangUp("01".to_owned())));
    view.press(Key::Last, &rows);
    assert_eq!(view.press(Key::Letter('h'), &rows), None);
    assert_eq!(view.pane, Pane::None, "it is over");
    says(&shown(&picture, &view, 80, 24), &["This call is over."]);
    view.press(Key::Letter('h'), &rows);
    assert_eq!(view.press(Key::Interrupt, &rows), Some(Order::Quit), "Ctrl-C always ends the board");
}

#[test]
fn the_story_of_a_call_is_shown_in_a_pane() {
    let picture = picture();
    let rows = rows(&picture, Sort::Age, false, picture.now(here()));
    let mut view = View::default();
    assert_eq!(view.press(Key::Enter, &rows), Some(Order::AskWhy("01".to_owned())));
    says(&shown(&picture, &view, 80, 24), &["precall why 01", "asking..."]);
    view.tell("02", "Another call's story.".to_owned());
    says(&shown(&picture, &view, 80, 24), &["asking..."]);
    let story: String = (0..100).map(|n| format!("Line {n:02} of the story.\n")).collect();
    view.tell("01", story);
    says(&shown(&picture, &view, 80, 24), &["Line 00"]);
    view.press(Key::PageDown, &rows);
    let text = shown(&picture, &view, 80, 24);
    assert!(text.contains("Line 10") && !text.contains("Line 09"), "{text}");
    assert_eq!(view.press(Key::Letter('q'), &rows), None, "it closes the pane");
    assert_eq!(view.pane, Pane::None);
    view.press(Key::Letter('?'), &rows);
    says(&shown(&picture, &view, 80, 24), &["hang up the call (asks first"]);
    assert_eq!(view.press(Key::Escape, &rows), None);
    assert_eq!(view.press(Key::Escape, &rows), Some(Order::Quit));
}

#[test]
fn what_the_service_says_cannot_write_into_the_terminal() {
    let mut picture = Picture::of("http://127.0.0.1:3006");
    let problem = json!({
        "area": "clone", "since": null, "words": "\u{1b}[2Jgone\u{7}", "remedy": "",
        "failed": 0, "succeeded": 0, "call": null,
    });
    let mut call =
        call("01", "s\u{1b}]0;x\u{7}hop", "greeting", "2026-11-29T11:59:00Z", "2026-11-29T12:09:00Z");
    call["last_event"] = json!("tele\u{202e}phone");
    picture.take(live(&json!([problem]), &json!([call])), here());
    let text = shown(&picture, &View::default(), 160, 24);
    assert!(!text.contains(['\u{1b}', '\u{7}']), "{text:?}");
}

#[test]
fn texts_fit_their_width() {
    assert_eq!(wrapped("one two three\n  four five", 9), ["one two", "three", "  four", "  five"]);
    assert_eq!(wrapped("abcdefghij kl", 4), ["abcd", "efgh", "ij", "kl"]);
    assert!(wrapped("x", 0).is_empty());
    assert_eq!(fitted("abc", 5), "abc  ");
    assert_eq!(fitted("abcdef", 3), "abc");
    assert_eq!(fitted("電話", 3), "電 ", "half a letter is not shown");
    assert_eq!(fitted("a\tb", 3), "ab ");
    let lines = flowed(vec!["one".into(), "two".into(), "three".into()], 8);
    assert_eq!(lines.iter().map(ToString::to_string).collect::<Vec<_>>(), ["one  two", "  three"]);
}
