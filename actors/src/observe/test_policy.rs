//! A policy of calls, for the tests of metrics and traces.

use std::time::Duration;

use precall_call::{LineId, Policy, Proof, Route, VoiceWait};

/// A line without persons, destination, keys and fallback voice, whose deadlines never pass.
pub(crate) fn test_policy(route: Route) -> Policy {
    let long = Duration::from_secs(600);
    Policy {
        line_version: None,
        route,
        line: LineId::new("default"),
        fallback_voice: None,
        voice_wait: VoiceWait::Hold,
        auto_transition: true,
        has_bridge: route == Route::Bridge,
        has_transfer: false,
        has_destination: false,
        persons: [].into(),
        ends_with_pbx_call: true,
        notice: None,
        skip_key: None,
        person_key: None,
        proof: Proof::None,
        pin_wait: long,
        clone_max_wait: long,
        ring_max: long,
        greeting_max: long,
        handoff_max: long,
        conversation_max: long,
        leg_max: long,
        list_max: None,
        report_grace: long,
        notes_first_word: true,
        free_retries: true,
        supervised: false,
    }
}
