//! Tests of live call.
#![allow(clippy::unwrap_used, reason = "a test may stop at what it did not expect")]

use super::{Arguments, Format, plan};
use crate::config::{Config, ThreeCx};
use crate::live_check::Way;

fn arguments(number: &str, routeto: Option<&str>) -> Arguments {
    let routeto = routeto.map(str::to_owned);
    Arguments {
        live_call: Some(number.to_owned()),
        routeto,
        json: None,
        pbx_version: None,
        skip_threecx: false,
        format: Format::Text,
    }
}

fn threecx(more: &[(&str, &str)]) -> ThreeCx {
    let least = [
        ("THREECX_BASE_URL", "https://pbx.example.com:5001"),
        ("THREECX_CLIENT_ID", "ROUTER"),
        ("THREECX_CLIENT_SECRET", "pbx-key"),
    ];
    let set = least.iter().chain(more).map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Config::threecx_from_map(&set.collect()).unwrap()
}

#[test]
fn database_and_elevenlabs_need_no_configuration() {
    let control = threecx(&[("DATABASE_URL", "nonsense")]).call_control.unwrap();
    let ring = plan(&arguments("+4915550123456", None), &control).unwrap();
    assert!(ring.way == Way::Ring("+4915550123456".to_owned()) && ring.access.trust.is_some());
    assert!(plan(&arguments(" Wait ", Some("200")), &control).unwrap().way == Way::Wait);
}

#[test]
fn a_number_that_cannot_be_dialled_is_refused_before_the_call() {
    let control = threecx(&[]).call_control.unwrap();
    for number in ["", "two words", "router", "\u{7}1", &"1".repeat(65)] {
        assert!(plan(&arguments(number, None), &control).is_err(), "{number:?}");
        assert!(plan(&arguments("0301234", Some(number)), &control).is_err(), "{number:?}");
    }
}

#[test]
fn a_number_is_dialled_in_every_spelling() {
    let control = threecx(&[]).call_control.unwrap();
    for (number, dialled) in [
        ("+49 155 5012-3456", "+4915550123456"),
        ("0049 (0)155 50123456", "+4915550123456"),
        ("0155.5012.3456", "015550123456"),
        ("tel:+49-155-50123456", "+4915550123456"),
        ("\u{ff0b}4915550123456", "+4915550123456"),
        ("101", "101"),
        ("*90", "*90"),
        ("desk-1", "desk-1"),
    ] {
        let way = plan(&arguments(number, None), &control).unwrap().way;
        assert!(way == Way::Ring(dialled.to_owned()), "{number}");
    }
}
