//! When NOTICE_MESSAGE must be set.

use precall_call::Route;

use super::environment_name::Environment;
use super::greeting::Greeting;
use super::notice::NoticeGivenBy;
use super::problem::Problems;

/// On a live leg, precall or the PBX must give the notice, except in development. On `callback` the greeting gives it:
/// the default text does.
pub(super) fn require(route: Route, environment: Environment, greeting: &Greeting, problems: &mut Problems) {
    let is_live_leg = match route {
        Route::Bridge | Route::Transfer => true,
        Route::Callback => false,
    };
    let is_told = greeting.notice.is_some() || greeting.notice_given_by == NoticeGivenBy::Pbx;
    if is_live_leg && !is_told && environment == Environment::Production && !problems.has("NOTICE_MESSAGE") {
        problems.add(
            "NOTICE_MESSAGE",
            format!("is required for CALL_ROUTE={} and not set", route.name()),
            "what callers are told about the artificial voice and the recording, or NOTICE_GIVEN_BY=pbx when the PBX \
             tells them",
        );
    }
}

#[cfg(test)]
mod tests;
