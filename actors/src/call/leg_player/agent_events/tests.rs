//! Numbers of utterances, and attempts that were given up.

use super::*;

#[test]
fn a_correction_finds_the_utterance_of_its_answer() {
    let mut agent = AgentOnLeg::new(4, 0);
    agent.note(Speaker::Agent, "Yes, of course", Some(3), None);
    agent.note(Speaker::Caller, "Wait", None, None);
    assert_eq!(agent.utterance_of(Some(3)), Some(5));
    assert_eq!(agent.utterance_of(Some(9)), None);
}

#[test]
fn an_attempt_that_was_given_up_is_not_wanted() {
    let mut agent = AgentOnLeg::new(0, 0);
    agent.let_go(2);
    assert!(!agent.is_wanted(2));
    assert!(agent.is_wanted(3));
}
