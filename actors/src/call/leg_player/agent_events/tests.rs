//! Tests of utterance numbers and released attempts.

use super::*;

#[test]
fn a_correction_refers_to_the_utterance_of_its_answer() {
    let mut agent = AgentOnLeg::new(4, 0);
    agent.record(Speaker::Agent, "Yes, of course", Some(3), None);
    agent.record(Speaker::Caller, "Wait", None, None);
    assert_eq!(agent.utterance_of(Some(3)), Some(5));
    assert_eq!(agent.utterance_of(Some(9)), None);
}

#[test]
fn released_attempts_are_not_wanted() {
    let mut agent = AgentOnLeg::new(0, 0);
    agent.release(2);
    assert!(!agent.is_wanted(2));
    assert!(agent.is_wanted(3));
}
