//! Tests of what is hidden, and of what is not.

use super::{know, redact};

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
