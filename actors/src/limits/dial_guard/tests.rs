//! Tests of the dial guard: a table of numbers and decisions, and the limits.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)] // A failing test may panic.

use std::time::Duration;

use precall_base::phone_number::{CallerNumber, E164, Region};
use precall_call::{At, CallId, Cause};

use super::{Countries, Dial, DialDecision, DialGuard, DialLimits, DialRules, Refusal};

const MANY: DialLimits = DialLimits { per_number_hour: 9999, per_hour: 9999, per_day: 9999, at_once: 9999 };
const START: At = At(1_764_000_000_000_000);

fn region(code: &str) -> Region {
    code.parse().unwrap()
}

fn number(text: &str) -> CallerNumber {
    CallerNumber::parse(text, region("DE"))
}

fn rules(countries: Countries, limits: DialLimits) -> DialRules {
    let own = ["+49 30 12345678", "030 99887766", "900", "+431234567"].map(number).into();
    DialRules::new(&countries, region("DE"), own, limits)
}

fn only(codes: &[&str]) -> Countries {
    Countries::Only(codes.iter().copied().map(region).collect())
}

fn after(seconds: u64) -> At {
    START.plus(Duration::from_secs(seconds))
}

fn ask(guard: &mut DialGuard, call: u128, who: &str, now: At) -> DialDecision {
    let called = number("+493012345678");
    guard.ask(Dial { call: CallId(call), number: &number(who), called: &called }, now)
}

/// The name of a decision.
fn word(verdict: DialDecision) -> &'static str {
    match verdict {
        DialDecision::Allowed => "allowed",
        DialDecision::Refused(refusal) => refusal.name(),
    }
}

const EUROPE: &[&str] = &["DE", "AT", "CH", "NL", "GB", "FR", "ES", "IT", "PL", "US"];

#[test]
fn each_number_gets_its_decision() {
    let table = [
        // Ordinary callers.
        ("+493022334455", "allowed"),
        ("030 22334455", "allowed"),
        ("+4917112345678", "allowed"),
        ("004915112345678", "allowed"),
        ("+436641234567", "allowed"),
        ("+41791234567", "allowed"),
        ("+31612345678", "allowed"),
        ("+31201234567", "allowed"),
        ("+442079460123", "allowed"),
        ("+447400123456", "allowed"),
        ("+12025550123", "allowed"),
        ("+33142685300", "allowed"),
        ("+33612345678", "allowed"),
        ("+33912345678", "allowed"),
        ("+34612345678", "allowed"),
        ("+390236618300", "allowed"),
        ("+393331234567", "allowed"),
        ("+48501234567", "allowed"),
        ("+49 (0)171 12345678", "allowed"),
        // Expensive numbers.
        ("+499001234567", "number_kind"),
        ("0900 1234567", "number_kind"),
        ("+491801234567", "number_kind"),
        ("+4970012345678", "number_kind"),
        ("+498001234567", "number_kind"),
        ("+43900123456", "number_kind"),
        ("+43810123456", "number_kind"),
        ("+41900123456", "number_kind"),
        ("+41848123456", "number_kind"),
        ("+31906123456", "number_kind"),
        ("+449012345678", "number_kind"),
        ("+448712345678", "number_kind"),
        ("+447012345678", "number_kind"),
        ("+447600123456", "number_kind"),
        ("+443331234567", "number_kind"),
        ("+19005551234", "number_kind"),
        ("+18005551234", "number_kind"),
        ("+15005550006", "number_kind"),
        ("+33899123456", "number_kind"),
        ("+34803123456", "number_kind"),
        ("+34902123456", "number_kind"),
        ("+39899123456", "number_kind"),
        ("+48701234567", "number_kind"),
        // Satellites and networks without a country.
        ("+870776123456", "number_kind"),
        ("+881612345678", "number_kind"),
        ("+8821612345678", "number_kind"),
        ("+883510001234567", "number_kind"),
        ("+979123456789", "number_kind"),
        ("+80012345678", "number_kind"),
        // Unassigned.
        ("+49123456789", "number_kind"),
        ("+12425551234", "number_kind"),
        // Countries that are not on the list but share a country code with one that is.
        ("+18765551234", "country"),
        ("+18095551234", "country"),
        ("+12684641234", "country"),
        ("+16475551234", "country"),
        ("+447911123456", "country"),
        ("+447624123456", "country"),
        ("+79161234567", "country"),
        ("+262692123456", "country"),
        ("+37744901234", "country"),
        // Extensions, short codes, emergency numbers.
        ("112", "not_public"),
        ("911", "not_public"),
        ("110", "not_public"),
        ("11833", "not_public"),
        ("101", "not_public"),
        ("+49112", "no_number"),
        // Our own numbers.
        ("+493012345678", "own_number"),
        ("030/12345678", "own_number"),
        ("0049 30 99887766", "own_number"),
        ("900", "own_number"),
        ("+43 1 234567", "own_number"),
        // Digits of another script are digits.
        ("+49\u{0661}\u{0667}\u{0661}12345678", "allowed"),
        // No number.
        ("", "no_number"),
        ("anonymous", "no_number"),
        ("Restricted", "no_number"),
        ("garbage", "no_number"),
        ("1-800-FLOWERS", "no_number"),
        ("+4917112345678;ext=12", "no_number"),
        ("+491711234567890123456789", "no_number"),
        ("00000000000", "no_number"),
        ("+0017112345678", "no_number"),
        ("0", "not_public"),
        ("*43#", "no_number"),
        ("+4930", "no_number"),
    ];
    let mut guard = DialGuard::new(rules(only(EUROPE), MANY));
    for (call, (who, expected)) in (0..).zip(table) {
        assert_eq!(word(ask(&mut guard, call, who, START)), expected, "{who:?}");
    }
}

/// A guard without `CALLBACK_COUNTRIES`, and its decision about caller and called number.
fn home(default_region: Region, own: &[&str]) -> impl FnMut(&str, &str) -> &'static str {
    let own = own.iter().copied().map(number).collect();
    let mut guard = DialGuard::new(DialRules::new(&Countries::Home, default_region, own, MANY));
    let mut call = 0;
    move |who, called| {
        call += 1;
        let (who, called) = (number(who), number(called));
        word(guard.ask(Dial { call: CallId(call), number: &who, called: &called }, START))
    }
}

#[test]
fn a_forged_called_number_opens_no_country() {
    let forged = ["+14155552671", "+33142685300", "+18765551234", "+79161234567", "801", "", "+80012345678"];
    // Without numbers of our own, DEFAULT_REGION alone decides.
    let mut verdict = home(region("DE"), &[]);
    for called in forged {
        assert_eq!(verdict("+4917112345678", called), "allowed", "{called}");
        for abroad in ["+12025550123", "+33612345678", "+41791234567"] {
            assert_eq!(verdict(abroad, called), "country", "{abroad} called {called}");
        }
    }
    // Without any country nothing is dialled, whatever was called.
    let mut verdict = home(Region::UNKNOWN, &[]);
    for called in forged {
        assert_eq!(verdict("+12025550123", called), "country", "{called}");
        assert_eq!(verdict("+4917112345678", called), "country", "{called}");
    }
}

#[test]
fn without_a_list_our_own_numbers_give_the_countries() {
    let mut verdict = home(Region::UNKNOWN, &["+493012345678", "+431234567", "801", "+80012345678"]);
    for called in ["+493012345678", "+431234567", "801"] {
        assert_eq!(verdict("+4917112345678", called), "allowed");
        assert_eq!(verdict("+436641234567", called), "allowed");
        assert_eq!(verdict("+41791234567", called), "country");
    }
    let mut verdict = home(region("CH"), &["+493012345678"]);
    assert_eq!(verdict("+41791234567", "+493012345678"), "allowed");
    assert_eq!(verdict("+4917112345678", "+493012345678"), "allowed");
}

#[test]
fn who_called_an_unknown_number_is_not_called_back() {
    for countries in [Countries::Home, only(EUROPE)] {
        let mut guard = DialGuard::new(rules(countries, MANY));
        let mut verdict = |call, called: &str| {
            let (who, called) = (number("+4917112345678"), number(called));
            word(guard.ask(Dial { call: CallId(call), number: &who, called: &called }, START))
        };
        for (call, called) in (0..).zip(["+493022334455", "+12025550123", "801", "", "anonymous", "+4930"]) {
            assert_eq!(verdict(call, called), "unknown_called", "{called}");
        }
        for (call, called) in (10..).zip(["+493012345678", "030/12345678", "900", "+43 1 234567"]) {
            assert_eq!(verdict(call, called), "allowed", "{called}");
        }
    }
    assert_eq!(home(region("DE"), &[])("+4917112345678", "+4917112345678"), "own_number");
    assert_eq!(home(region("DE"), &[])("801", "801"), "own_number");
}

#[test]
fn each_refusal_has_its_cause() {
    assert_eq!(Refusal::OwnNumber.cause(), Cause::Loop);
    assert_eq!(Refusal::PerDay.cause(), Cause::DialRefused);
    assert_eq!(Refusal::NoNumber.cause(), Cause::DialRefused);
}

#[test]
fn a_number_is_dialled_three_times_an_hour() {
    let mut guard = DialGuard::new(rules(only(EUROPE), DialLimits::default()));
    let who = "+4917112345678";
    for call in 0..3 {
        assert_eq!(ask(&mut guard, call, who, after(60)), DialDecision::Allowed);
        guard.release(CallId(call));
    }
    assert_eq!(word(ask(&mut guard, 3, "0171 12345678", after(61))), "limit_per_number_hour");
    assert_eq!(word(ask(&mut guard, 4, "+4917112345679", after(61))), "allowed");
    assert_eq!(word(ask(&mut guard, 5, who, after(60 + 3599))), "limit_per_number_hour");
    assert_eq!(word(ask(&mut guard, 6, who, after(60 + 3600))), "allowed");
}

#[test]
fn a_repeated_request_for_the_same_call_counts_nothing() {
    let mut guard = DialGuard::new(rules(only(EUROPE), DialLimits { at_once: 2, ..DialLimits::default() }));
    for _ in 0..10 {
        assert_eq!(ask(&mut guard, 1, "+4917112345678", START), DialDecision::Allowed);
    }
    assert_eq!(guard.last_day.len(), 1);
    assert_eq!(word(ask(&mut guard, 2, "+4917112345678", START)), "allowed");
    assert_eq!(word(ask(&mut guard, 3, "+4917112345678", START)), "limit_at_once");
}

#[test]
fn a_released_call_frees_its_place_but_stays_counted() {
    let limits = DialLimits { at_once: 1, per_hour: 2, ..DialLimits::default() };
    let mut guard = DialGuard::new(rules(only(EUROPE), limits));
    assert_eq!(word(ask(&mut guard, 1, "+4917112345671", START)), "allowed");
    assert_eq!(word(ask(&mut guard, 2, "+4917112345672", START)), "limit_at_once");
    guard.release(CallId(1));
    guard.release(CallId(1));
    assert_eq!(word(ask(&mut guard, 3, "+4917112345673", START)), "allowed");
    guard.release(CallId(3));
    assert_eq!(word(ask(&mut guard, 4, "+4917112345674", START)), "limit_per_hour");
}

#[test]
fn the_daily_limit_also_bounds_memory() {
    let limits = DialLimits { per_day: 5, per_hour: 3, ..MANY };
    let mut guard = DialGuard::new(rules(only(EUROPE), limits));
    let mut allowed = 0;
    for call in 0..400_u32 {
        // One attempt every five minutes, each from a new number.
        let who = format!("+49171{:07}", 1_000_000 + call);
        allowed += u32::from(
            ask(&mut guard, call.into(), &who, after(u64::from(call) * 300)) == DialDecision::Allowed,
        );
        guard.release(CallId(call.into()));
        assert!(guard.last_day.len() <= 5 && guard.last_hour.len() <= 3 && guard.per_number.len() <= 3);
    }
    assert_eq!(allowed, 10, "400 attempts take 33 hours: five on each of two days");
}

#[test]
fn dials_before_a_restart_count() {
    let mut guard = DialGuard::new(rules(only(EUROPE), DialLimits { at_once: 3, ..DialLimits::default() }));
    let who: E164 = "+4917112345678".parse().unwrap();
    for seconds in [1800, 10, 900] {
        guard.seed(who.clone(), after(seconds));
    }
    guard.hold(CallId(90));
    assert_eq!(word(ask(&mut guard, 1, "+4917112345678", after(2000))), "limit_per_number_hour");
    assert_eq!(word(ask(&mut guard, 2, "+4917112345678", after(3610))), "allowed");
    assert_eq!(word(ask(&mut guard, 3, "+4917112345679", after(3610))), "allowed");
    assert_eq!(word(ask(&mut guard, 4, "+4917112345670", after(3610))), "limit_at_once");
    for second in 0..20_000 {
        guard.seed(who.clone(), after(second));
    }
    assert!(guard.last_day.len() <= 5000 && guard.last_hour.len() <= 500);
}

#[test]
fn a_clock_set_back_frees_no_limit() {
    let mut guard = DialGuard::new(rules(only(EUROPE), DialLimits { per_number_hour: 1, ..MANY }));
    assert_eq!(word(ask(&mut guard, 1, "+4917112345678", after(7200))), "allowed");
    assert_eq!(word(ask(&mut guard, 2, "+4917112345678", after(0))), "limit_per_number_hour");
    assert_eq!(word(ask(&mut guard, 3, "+4917112345679", after(0))), "allowed");
    assert_eq!(word(ask(&mut guard, 4, "+4917112345678", after(7200 + 3600))), "allowed");
}
