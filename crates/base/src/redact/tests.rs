//! Tests of what is hidden, and of what is not.

use super::{hide, know, redact};

fn shown(text: &str) -> String {
    redact(text, 500, &["key-of-mine"])
}

#[test]
fn numbers_are_masked_in_every_spelling() {
    for number in [
        "+12022555501",
        "0012022555501",
        "(202) 255-5501",
        "1 202 255 55 01",
        "202.255.5501",
        "+49 (0)30 255/5501",
        "030-255 5501",
        "202%20255%205501",
        "0012%2D02%2D2555501",
    ] {
        for text in
            [number.to_owned(), format!("no route to {number}, try later"), format!("<sip:{number}@pbx>")]
        {
            let shown = shown(&text);
            assert!(shown.contains("*****") && shown.contains("501"), "{text}: {shown}");
            assert!(
                !shown.contains("5501") && !shown.contains("55 01") && !shown.contains("255"),
                "{text}: {shown}"
            );
        }
    }
}

#[test]
fn what_is_no_number_of_a_telephone_stays() {
    for text in [
        "status 422 after 3 attempts of 10",
        "connection to 192.168.100.200:5432 refused",
        "connection to 10.0.0.1 refused",
        "since 2026-11-30T02:46:45Z",
        "since 2026-11-30 02:46",
        "since 2026-11-30 02:46:45.123456 UTC",
        "at 2026-11-30T02:46:45.123456+00:00",
        "10:02:03.456789  12 s",
        "job 01990000-0000-7000-8000-123456789012, 7 of them",
        "(20262026-1130-7000-8000-123456789012)",
        "trace 4bf92f3577b34da1234567929d0e0e47, span 00f0671234567902",
        "from 10.100.100.0/24",
        "job 01a22a58-fd3c-7001-880e-caa53d44364d",
        "conv_iy10ssee9ud4v0bpb7rgnwxz5l1s is over",
        "HTTP/1.1 503, sent 12.5 of 40 kB",
    ] {
        assert_eq!(shown(text), text);
    }
}

#[test]
fn tokens_and_queries_are_hidden() {
    for (text, hidden) in [
        ("Authorization: Bearer abc.def/ghi", "Authorization: Bearer ***"),
        ("\"authorization\": \"basic dXNlcjpwYXNz\"", "\"authorization\": \"basic ***\""),
        ("got eyJhbGciOiJI.eyJzdWIi.c2ln, expired", "got ***, expired"),
        ("access_token=eyJhbGciOiJI&more", "access_token=***"),
        (
            "at wss://api.example.com/v1/talk?agent=7&signature=x9 (closed)",
            "at wss://api.example.com/v1/talk?*** (closed)",
        ),
        ("https://anna:secret@files.example.com/a.wav", "https://files.example.com/a.wav"),
        ("postgresql://precall:secret@db:5432/precall", "postgresql://db:5432/precall"),
        ("a bearer of bad news", "a bearer *** bad news"),
    ] {
        assert_eq!(shown(text), hidden);
    }
}

#[test]
fn secrets_are_hidden_wherever_they_come_from() {
    know("secret-of-another-service");
    know("short");
    assert_eq!(shown("key-of-mine, not secret-of-another-service, is short"), "***, not ***, is short");
}

#[test]
fn it_is_one_short_line() {
    assert_eq!(redact(" two\nlines \u{7} ", 500, &[]), "two lines");
    assert_eq!(redact("ääää", 2, &[]), "ää");
    assert_eq!(redact(&"1".repeat(1_000_000), 10, &[]), "*****111");
    assert_eq!(redact("", 10, &[]), "");
    for text in ["1", "1 ", "1 - ", "(((1)))", "://", "://@?", "eyJ", "Bearer", "Bearer ", "٣٤٥٦٧٨٩٠"]
    {
        let _ends = redact(text, 10, &[]);
    }
}

#[test]
fn lines_and_length_of_a_long_text_stay() {
    know("secret-of-the-long-text");
    let text = format!("{}\nof +12022555501,\tsecret-of-the-long-text\n", "word ".repeat(500));
    let hidden = hide(&text);
    assert_eq!(*hidden, format!("{}\nof +*****501,\t***\n", "word ".repeat(500)));
    assert_eq!(hide(&hidden), hidden);
    for text in ["conversing", "01a22a58-fd3c-7001-880e-caa53d44364d", "+1*****501", ""] {
        assert!(matches!(hide(text), std::borrow::Cow::Borrowed(_)) || hide(text) == text, "{text}");
    }
}

#[test]
fn a_number_is_no_part_of_an_id() {
    for (text, hidden) in [
        ("user_12022555501", "user_*****501"),
        ("12022555501-fd3c-7001-880e-caa53d44364d", "*****501-fd3c-7001-880e-caa53d44364d"),
        ("0212:12022555501", "0212:*****501"),
        ("12:02 255 5501", "12:02 *****501"),
    ] {
        assert_eq!(hide(text), hidden);
    }
}
