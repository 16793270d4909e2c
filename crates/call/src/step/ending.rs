//! How calls end, and the provider's reports, which may come before or after the end.

use core::time::Duration;

use super::StepBuilder;
use crate::cause::{Blame, Cause, Release};
use crate::event::{Answered, Grade, HandoffFailure, Purpose, Report};
use crate::ids::ConversationId;
use crate::phase::{Conversing, HandingOff, Phase};
use crate::policy::Rung;
use crate::state::{Dial, Leg};

impl StepBuilder {
    /// Whether the caller's leg stays with us on this rung.
    pub(super) fn keeps_leg(&self, rung: Rung) -> bool {
        match rung {
            Rung::BridgeCloned | Rung::BridgeFallback | Rung::Apology => true,
            Rung::Transfer
            | Rung::Destination
            | Rung::Person
            | Rung::CallbackCloned
            | Rung::CallbackFallback => false,
        }
    }

    /// The webhook says that the PBX's call is over. An outbound agent call goes on without it. On a live leg the
    /// PBX's events of the leg decide: a call flow may send the webhook when it transfers the call to precall.
    pub(super) fn pbx_call_ended(&mut self, duration: Option<Duration>) {
        if self.call.pbx_ended {
            return;
        }
        self.call.pbx_ended = true;
        self.call.pbx_duration = duration;
        if self.call.policy.on_live_leg() {
            if matches!(self.call.leg, Leg::Absent | Leg::Ringing) {
                self.release(Release::by(Blame::Caller, Cause::CallerHungUp));
            }
            return;
        }
        let before_agent = matches!(self.call.phase, Phase::Offered | Phase::Greeting(_) | Phase::Holding);
        if before_agent && self.call.policy.ends_with_pbx_call {
            self.release(Release::by(Blame::Caller, Cause::CallerHungUp));
        }
    }

    /// Notes the id of a conversation, from the dial's answer, a look-up or a report.
    pub(super) fn learn_conversation(&mut self, purpose: Purpose, id: &ConversationId) {
        if self.call.conversations.iter().any(|c| c.id.as_ref() == Some(id)) {
            return;
        }
        let unnamed = self
            .call
            .conversations
            .iter_mut()
            .rev()
            .find(|c| c.purpose == purpose && c.id.is_none() && c.dial != Dial::Refused);
        if let Some(conversation) = unnamed {
            conversation.id = Some(id.clone());
            conversation.dial = Dial::Started;
        }
    }

    /// The provider accepted the dial, with or without an id in its answer.
    pub(super) fn dial_accepted(&mut self, purpose: Purpose, id: Option<&ConversationId>) {
        if let Some(id) = id {
            return self.learn_conversation(purpose, id);
        }
        let latest = self.call.conversations.iter_mut().rev().find(|c| c.purpose == purpose);
        if let Some(conversation) = latest.filter(|c| matches!(c.dial, Dial::Intended | Dial::Unknown)) {
            conversation.dial = Dial::Started;
        }
    }

    pub(super) fn reported(&mut self, report: &Report) {
        if let Some(purpose) = report.purpose {
            self.learn_conversation(purpose, &report.conversation);
        }
        let Some(known) =
            self.call.conversations.iter_mut().find(|c| c.id.as_ref() == Some(&report.conversation))
        else {
            return;
        };
        known.answered = known.answered.max(report.answered);
        let voicemail = known.answered == Answered::Voicemail;
        // A conversation with a voicemail box did not take place, whatever a report without that word says.
        let grade = if voicemail { report.grade.min(Grade::Failed) } else { report.grade };
        known.grade = known.grade.max(grade);
        if known.duration.is_none() {
            known.duration = report.duration;
        }
        known.has_words |= report.has_words;
        known.has_analysis |= report.has_analysis;
        match known.purpose {
            Purpose::Greeting if voicemail => self.greeting_met_voicemail(),
            Purpose::Greeting => self.greeting_reported(report),
            Purpose::Agent => self.agent_reported(report, voicemail),
        }
    }

    /// The agent's dial would reach the same voicemail box, so it is not made.
    fn greeting_met_voicemail(&mut self) {
        let before_agent = matches!(self.call.phase, Phase::Greeting(_) | Phase::Holding);
        if before_agent && !self.call.policy.on_live_leg() {
            self.release(Release::by(Blame::Caller, Cause::Voicemail));
        }
    }

    fn greeting_reported(&mut self, report: &Report) {
        if !self.call.is_greeting() || self.call.policy.on_live_leg() {
            return;
        }
        match (report.grade, report.failure) {
            (Grade::Initiated, _) => {}
            (Grade::Failed, Some(HandoffFailure::NoAnswer)) => {
                self.release(Release::by(Blame::Caller, Cause::NoAnswer));
            }
            (Grade::Failed | Grade::Completed, _) => self.hold(),
        }
    }

    /// On the bridge the agent's socket tells the end: a report may be about an earlier session that was lost.
    fn agent_reported(&mut self, report: &Report, voicemail: bool) {
        match self.call.phase {
            Phase::HandingOff(HandingOff { attempt, .. }) | Phase::Conversing(Conversing { attempt, .. })
                if attempt.rung.leads_to_agent() =>
            {
                if attempt.rung.bridges() {
                    return;
                }
            }
            Phase::Offered
            | Phase::Greeting(_)
            | Phase::Holding
            | Phase::HandingOff(_)
            | Phase::Conversing(_)
            | Phase::Released(_) => return,
        }
        match (report.grade, report.failure) {
            (Grade::Initiated, _) => {}
            (Grade::Failed | Grade::Completed, _) if voicemail => {
                self.release(Release::by(Blame::Caller, Cause::Voicemail));
            }
            (Grade::Completed, _) => {
                self.call.instants.handed_off.get_or_insert(self.now);
                self.release(Release::good(Cause::Completed));
            }
            (Grade::Failed, Some(HandoffFailure::Busy)) => {
                self.release(Release::by(Blame::Caller, Cause::Busy));
            }
            (Grade::Failed, Some(HandoffFailure::NoAnswer)) => {
                self.release(Release::by(Blame::Caller, Cause::NoAnswer));
            }
            (Grade::Failed, _) => self.release(Release::by(Blame::Provider, Cause::HandoffFailed)),
        }
    }

    /// On our own leg the conversation reached its longest duration. Elsewhere its report is overdue: ask the
    /// provider once.
    pub(super) fn conversation_overdue(&mut self) {
        let Phase::Conversing(with) = self.call.phase else { return };
        if self.keeps_leg(with.attempt.rung) || with.looked_up {
            return self.release(Release::by(Blame::Precall, Cause::MaxDuration));
        }
        self.look_agent_up();
        self.call.deadlines.conversation = Some(self.now.plus(self.call.policy.report_grace));
    }
}
