//! Tables of texts that PBXs send and the expected numbers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)] // A failed test is a failed test.

use super::{CallerNumber, E164, NumberKind, Region};

fn read(raw: &str, region: &str) -> String {
    match CallerNumber::parse(raw, region.parse().unwrap()) {
        CallerNumber::Public(number) => number.as_e164().to_owned(),
        CallerNumber::Internal(extension) => format!("ext {}", extension.as_str()),
        CallerNumber::Withheld => "withheld".to_owned(),
        CallerNumber::Unreadable => "unreadable".to_owned(),
    }
}

#[test]
fn numbers_are_parsed_in_every_notation() {
    let table = [
        ("+4917112345678", "DE", "+4917112345678"),
        ("+49 171 / 1234-5678", "US", "+4917112345678"),
        ("(+49) 171.12345678", "DE", "+4917112345678"),
        ("+49 (0)30 12345678", "DE", "+493012345678"),
        ("004917112345678", "DE", "+4917112345678"),
        ("00 49 171 12345678", "US", "+4917112345678"),
        ("017112345678", "DE", "+4917112345678"),
        ("0171\u{a0}1234\u{2011}5678", "DE", "+4917112345678"),
        ("\u{202a}+4917112345678\u{202c}", "DE", "+4917112345678"),
        ("4917112345678", "DE", "+4917112345678"),
        ("4930123456", "DE", "+4930123456"),
        ("0123456789", "DE", "+49123456789"),
        ("020 7946 0123", "GB", "+442079460123"),
        ("442079460123", "GB", "+442079460123"),
        ("4155552671", "US", "+14155552671"),
        ("14155552671", "US", "+14155552671"),
        ("1 (415) 555-2671", "US", "+14155552671"),
        ("011 49 171 12345678", "US", "+4917112345678"),
        ("02 3661 8300", "IT", "+390236618300"),
        ("3331234567", "IT", "+393331234567"),
        ("393331234567", "IT", "+393331234567"),
        ("0612345678", "FR", "+33612345678"),
        ("612345678", "ES", "+34612345678"),
        ("\"Anna Schmidt\" <sip:+4917112345678@pbx.example;user=phone>", "DE", "+4917112345678"),
        ("<tel:+49-171-12345678>", "DE", "+4917112345678"),
        ("sip:017112345678@10.0.0.1", "DE", "+4917112345678"),
        ("Anna +49 171 12345678", "DE", "+4917112345678"),
        ("+4917112345678:Anna", "DE", "+4917112345678"),
        ("Anna (004917112345678)", "DE", "+4917112345678"),
        ("\u{ff0b}\u{ff14}\u{ff19}17112345678", "DE", "+4917112345678"),
        ("\u{ff10}\u{ff11}\u{ff17}\u{ff11}\u{3000}12345678", "DE", "+4917112345678"),
        ("+49\u{0661}\u{0667}\u{0661}12345678", "DE", "+4917112345678"),
        ("+\u{06f4}\u{06f9} 171 12345678", "DE", "+4917112345678"),
        ("\u{feff}+49\u{ad}171\u{2060}12345678\u{200b}", "DE", "+4917112345678"),
        ("0049 (0)171.123.456.78", "DE", "+4917112345678"),
        ("TEL:+49-171-12345678", "US", "+4917112345678"),
        ("tel:101", "DE", "ext 101"),
        ("\u{ff11}\u{ff10}\u{ff11}", "DE", "ext 101"),
        ("101", "DE", "ext 101"),
        ("112", "DE", "ext 112"),
        ("911", "US", "ext 911"),
        ("\"Reception\" <900>", "DE", "ext 900"),
        ("", "DE", "withheld"),
        ("  ", "DE", "withheld"),
        ("Anonymous", "DE", "withheld"),
        ("ANONYMOUS", "DE", "withheld"),
        ("\"Anonymous\" <sip:anonymous@anonymous.invalid>", "DE", "withheld"),
        ("Restricted", "DE", "withheld"),
        ("unknown", "DE", "withheld"),
        ("private", "DE", "withheld"),
    ];
    for (raw, region, expected) in table {
        assert_eq!(read(raw, region), expected, "{raw:?} in {region}");
    }
}

#[test]
fn a_text_without_exactly_one_number_is_unreadable() {
    let table = [
        "1-800-FLOWERS",
        "+1800FLOWERS",
        "+49171FLOWERS12345678",
        "Anna 017112345678",
        "+4917112345678 or +4917112345679 Anna",
        "+4917112345678;ext=12",
        "<sip:+4917112345678;ext=12@host>",
        "030123456;phone-context=+49",
        "+4930123456,12",
        "+4917112345678x12",
        "+49\u{0967}\u{096d}\u{0967}12345678",
        "++4917112345678",
        "+49+17112345678",
        "*43",
        "#31#017112345678",
        "+",
        "-",
        "+49",
        "+999123456789",
        "+0000000000",
        "+491711234567890123",
        "12345678901234567890123456789012345678901234567890",
        "2671234x",
        "'; drop table call_log; --",
        "\u{0}\u{1}",
    ];
    for raw in table {
        assert_eq!(read(raw, "DE"), "unreadable", "{raw:?}");
    }
    assert_eq!(read(&"9".repeat(5000), "DE"), "unreadable");
    assert_eq!(read("5552671", "US"), "unreadable", "a local number has no area code");
}

#[test]
fn prefixes_are_read_in_every_notation() {
    let table = [
        ("+49", "DE", Some("+49")),
        ("+49 (0)30", "DE", Some("+4930")),
        ("0049-30", "US", Some("+4930")),
        ("030", "DE", Some("+4930")),
        ("020 79", "GB", Some("+442079")),
        ("02", "IT", Some("02")),
        ("01", "US", Some("01")),
        ("06", "FR", Some("+336")),
        ("030", "ZZ", Some("030")),
        ("10", "DE", Some("10")),
        ("tel:+49", "DE", Some("+49")),
        ("\u{ff0b}\u{ff14}\u{ff19}", "DE", Some("+49")),
        ("+", "DE", Some("+")),
        ("x", "DE", None),
        ("++49", "DE", None),
        ("", "DE", None),
    ];
    for (raw, region, expected) in table {
        let region = if region == "ZZ" { Region::UNKNOWN } else { region.parse().unwrap() };
        assert_eq!(CallerNumber::prefix(raw, region).as_deref(), expected, "{raw:?} in {region}");
    }
}

#[test]
fn a_number_never_prints_in_full() {
    let number = CallerNumber::parse("+4917112345789", "DE".parse().unwrap());
    assert_eq!(number.to_string(), "+49*****789");
    assert_eq!(format!("{number:?}"), "Public(+49*****789)");
    assert_eq!(format!("{:?}", "+14155552671".parse::<E164>().unwrap()), "+1*****671");
    assert_eq!(format!("{}", "+353871234567".parse::<E164>().unwrap()), "+353*****567");
    assert_eq!(format!("{:?}", Some("+4917112345789".parse::<E164>().unwrap())), "Some(+49*****789)");
}

#[test]
fn kinds_and_countries_match_the_tables() {
    let table = [
        ("+4917112345678", NumberKind::Mobile, "DE"),
        ("+390236618300", NumberKind::FixedLine, "IT"),
        ("+18765551234", NumberKind::Mobile, "JM"),
        ("+16475551234", NumberKind::FixedLineOrMobile, "CA"),
        ("+447911123456", NumberKind::Mobile, "GG"),
        ("+33912345678", NumberKind::Voip, "FR"),
        ("+881612345678", NumberKind::Global, "001"),
    ];
    for (text, kind, region) in table {
        let number: E164 = text.parse().unwrap();
        assert_eq!((number.kind(), number.region().unwrap().code().as_str()), (kind, region), "{text}");
    }
    assert_eq!("+49123456789".parse::<E164>().unwrap().kind(), NumberKind::Unknown);
}

#[test]
fn configured_numbers_and_countries_are_checked() {
    assert!("017112345678".parse::<E164>().is_err());
    assert!("101".parse::<E164>().is_err());
    assert_eq!("de".parse::<Region>().unwrap().code(), "DE");
    assert!("XX".parse::<Region>().is_err());
    assert!("Germany".parse::<Region>().is_err());
    assert!("001".parse::<Region>().is_err());
}

#[test]
fn a_number_that_would_be_another_one_when_it_is_read_again_is_unreadable() {
    // Found by fuzzing: two trunk zeros behind the country code, of which each reading takes one away.
    for raw in ["+2430012345677", "00243)00 (-12345677"] {
        assert_eq!(CallerNumber::parse(raw, "US".parse().unwrap()), CallerNumber::Unreadable, "{raw}");
    }
    let one = CallerNumber::parse("+243012345677", Region::UNKNOWN);
    assert_eq!(one.e164().unwrap().as_e164(), "+24312345677");
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig { failure_persistence: None, ..Default::default() })]

    #[test]
    fn any_text_is_parsed_without_a_panic(raw in "\\PC{0,140}") {
        let _ = CallerNumber::parse(&raw, "DE".parse().unwrap());
    }

    #[test]
    fn a_public_number_is_canonical(raw in "(\\+|00|0|)[0-9 ()./-]{1,20}([;x,a][0-9]{0,3})?", us: bool) {
        let region = if us { "US" } else { "DE" }.parse().unwrap();
        if let CallerNumber::Public(number) = CallerNumber::parse(&raw, region) {
            let again: E164 = number.as_e164().parse().unwrap();
            proptest::prop_assert_eq!(&again, &number);
            proptest::prop_assert!(number.as_e164().len() <= 16);
            proptest::prop_assert!(!number.to_string().contains(&number.as_e164()[4..]));
        }
    }
}
