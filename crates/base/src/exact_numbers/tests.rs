//! Numbers as senders write them, and what is left of them.

use super::exact_numbers;

fn exact(json: &str) -> String {
    String::from_utf8_lossy(&exact_numbers(json.as_bytes())).into_owned()
}

#[test]
fn no_digit_of_an_id_is_lost() {
    let table = [
        ("1264", "1264"),
        ("-5", "-5"),
        ("999999999999999999", "999999999999999999"),
        ("9223372036854775808", "\"9223372036854775808\""),
        ("18446744073709551616", "\"18446744073709551616\""),
        ("18446744073709551617", "\"18446744073709551617\""),
        ("-18446744073709551617", "\"-18446744073709551617\""),
        ("1264.0", "\"1264\""),
        ("1264.000", "\"1264\""),
        ("-1264.0", "\"-1264\""),
        ("1264.5", "\"1264.5\""),
        ("1264.50", "\"1264.50\""),
        ("1e3", "\"1000\""),
        ("1E+3", "\"1000\""),
        ("1.264e3", "\"1264\""),
        ("12640e-1", "\"1264\""),
        ("12645e-1", "\"12645e-1\""),
        ("0.5", "\"0.5\""),
        ("1e-3", "\"1e-3\""),
        ("-0.0", "\"0\""),
        ("-0", "\"0\""),
        ("0e99999999999999999999", "null"),
        ("1e15", "null"),
        ("1.8446744073709552e19", "null"),
        ("1e999999999999", "null"),
        ("12345678901234567890.0", "\"12345678901234567890\""),
    ];
    for (given, expected) in table {
        assert_eq!(exact(given), expected, "{given}");
        assert_eq!(exact(&format!("{{\"a\":[{given},1]}}")), format!("{{\"a\":[{expected},1]}}"), "{given}");
    }
}

#[test]
fn text_and_broken_json_stay_as_they_are() {
    for same in [
        r#"{"a":"1264.0 \" 1e3 \\","b":[true,null]}"#,
        r#""1264.0"#,
        r#""1264.0\"#,
        "01.5",
        "1.",
        ".5",
        "1e",
        "--1",
        "1.5.5",
        "1.0x",
        "+1.5",
        "",
    ] {
        assert_eq!(exact(same), same, "{same}");
    }
    assert_eq!(exact_numbers(b"\xff 1.0"), &b"\xff \"1\""[..]);
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig { failure_persistence: None, ..Default::default() })]

    #[test]
    fn two_integers_never_become_one(a in "[1-9][0-9]{0,60}", b in "[1-9][0-9]{0,60}") {
        proptest::prop_assert_eq!(a == b, exact(&a) == exact(&b));
    }

    #[test]
    fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..80)) {
        let _ = exact_numbers(&bytes);
    }
}
