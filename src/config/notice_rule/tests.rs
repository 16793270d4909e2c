//! When NOTICE_MESSAGE is required.
#![allow(clippy::unwrap_used, reason = "a test may stop at what it did not expect")]
use precall_call::Route;

use super::super::problem::Problems;
use super::super::{Config, Environment};
use super::require;

#[test]
fn a_live_leg_in_production_needs_a_notice() {
    let told = |route, environment, more: &[(&str, &str)]| {
        let least = [
            ("ENVIRONMENT", "development"),
            ("ELEVENLABS_API_KEY", "k"),
            ("ELEVENLABS_AGENT_ID", "a"),
            ("ELEVENLABS_PHONE_NUMBER_ID", "p"),
        ];
        let greeting = Config::from_pairs(least.iter().chain(more).copied()).unwrap().greeting;
        let mut problems = Problems::default();
        require(route, environment, &greeting, &mut problems);
        problems.into_error(Vec::new()).map_err(|error| error.to_string())
    };
    use Environment::{Development, Production};
    for route in [Route::Bridge, Route::Transfer] {
        let refused = told(route, Production, &[]).unwrap_err();
        assert!(refused.contains("NOTICE_MESSAGE: is required for CALL_ROUTE="), "{refused}");
        assert!(refused.contains(route.name()) && refused.contains("NOTICE_GIVEN_BY=pbx"), "{refused}");
        assert!(told(route, Production, &[("NOTICE_GIVEN_BY", "precall")]).is_err());
        assert_eq!(told(route, Production, &[("NOTICE_MESSAGE", "Recorded.")]), Ok(()));
        assert_eq!(told(route, Production, &[("NOTICE_GIVEN_BY", "pbx")]), Ok(()));
        assert_eq!(told(route, Development, &[]), Ok(()));
    }
    assert_eq!(told(Route::Callback, Production, &[]), Ok(()));
}
