//! Files of callers, and telephone numbers as PBXs and people write them.

use precall::parsers;
use precall_base::phone_number::{CallerNumber, E164, Region};

use super::choice;

fn region(choice: u8) -> Region {
    let countries = ["DE", "US", "IT", "GB", "AR"];
    let country = countries.get(usize::from(choice)).copied();
    country.map_or(Region::UNKNOWN, |country| country.parse().unwrap())
}

/// What is read can be exported, and is the same when it is imported again. Errors show no whole number.
pub(crate) fn callers_csv(input: &[u8]) {
    let Some((choice, csv)) = choice(input) else { return };
    let callers = match parsers::callers(csv, region(choice)) {
        Ok(callers) => callers,
        Err(errors) => {
            assert!((1..=100).contains(&errors.len()));
            return errors.iter().for_each(|error| assert!(!error.contains('\n'), "{error}"));
        }
    };
    for caller in &callers {
        for text in [&caller.caller_id, &caller.voice_sample_url, &caller.voice_name] {
            assert!(!text.is_empty() && text.len() <= 4_096 && !text.contains('\0'));
        }
    }
    let file = parsers::callers_csv(&callers).unwrap();
    assert_eq!(parsers::callers(&file, region(choice)), Ok(callers));
}

/// A number reads the same again anywhere in the world, and is masked where it is printed.
pub(crate) fn phone_number(input: &[u8]) {
    let Some((choice, text)) = choice(input) else { return };
    let Ok(text) = std::str::from_utf8(text) else { return };
    let region = region(choice);
    for parsed in [CallerNumber::parse(text, region), CallerNumber::parse_written(text, region)] {
        match &parsed {
            CallerNumber::Public(number) => {
                check(number);
                assert_eq!(CallerNumber::parse(number.as_e164(), Region::UNKNOWN), parsed);
                assert_eq!(number.as_e164().parse::<E164>().as_ref(), Ok(number));
            }
            CallerNumber::Internal(extension) => {
                assert!((1..=6).contains(&extension.as_str().len()));
                assert_eq!(CallerNumber::parse(extension.as_str(), region), parsed);
            }
            CallerNumber::Withheld | CallerNumber::Unreadable => {}
        }
    }
    if let Some(prefix) = CallerNumber::prefix(text, region) {
        assert!(prefix.strip_prefix('+').unwrap_or(&prefix).bytes().all(|byte| byte.is_ascii_digit()));
    }
}

#[track_caller]
fn check(number: &E164) {
    let digits = number.as_e164().strip_prefix('+').unwrap();
    assert!(digits.len() <= 15 && digits.bytes().all(|byte| byte.is_ascii_digit()), "{digits}");
    assert!(!number.to_string().contains(digits), "not masked");
    let (_kind, _region) = (number.kind(), number.region());
}
