//! A policy and events of calls, for tests and benches of the state machine.

use std::time::Duration;

use precall_call::{
    Answered, ConversationId, Event, Grade, LineId, Policy, Proof, Report, Route, VoiceId, VoiceWait,
};

/// A line with everything but persons, a notice and a proof.
pub fn call_policy(route: Route) -> Policy {
    Policy {
        route,
        line_version: None,
        line: LineId::new("default"),
        fallback_voice: Some(VoiceId::new("fallback")),
        voice_wait: VoiceWait::Hold,
        auto_transition: true,
        has_bridge: true,
        has_transfer: true,
        has_destination: true,
        persons: [].into(),
        ends_with_pbx_call: true,
        notice: None,
        skip_key: Some('1'),
        person_key: Some('0'),
        proof: Proof::None,
        pin_wait: Duration::from_secs(10),
        clone_max_wait: Duration::from_secs(35),
        ring_max: Duration::from_secs(45),
        greeting_max: Duration::from_secs(15),
        handoff_max: Duration::from_secs(20),
        conversation_max: Duration::from_secs(600),
        leg_max: Duration::from_secs(10),
        list_max: Some(Duration::from_secs(300)),
        report_grace: Duration::from_secs(30),
        notes_first_word: true,
        free_retries: true,
        supervised: false,
    }
}

/// The report of a conversation that was held.
pub fn reported(conversation: &ConversationId) -> Event {
    Event::Reported(Report {
        conversation: conversation.clone(),
        purpose: None,
        grade: Grade::Completed,
        failure: None,
        duration: Some(Duration::from_secs(9)),
        has_words: true,
        has_analysis: false,
        answered: Answered::Unknown,
    })
}
