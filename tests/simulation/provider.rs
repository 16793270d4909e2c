//! The provider's state, which precall may not know.

use std::collections::BTreeMap;

use precall_actors::voices::slot_rules::HeldVoice;
use precall_call::{CallId, ConversationId, Purpose, VoiceId};

/// What happened to a dial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    Refused,
    Executed,
    /// Executed, but the answer is lost.
    ExecutedSilently,
    /// The request is lost, without an error.
    Lost,
}

#[derive(Clone, Debug)]
pub struct Conversation {
    pub id: ConversationId,
    pub call: CallId,
    pub purpose: Purpose,
    pub is_over: bool,
    pub was_reported: bool,
}

#[derive(Default)]
pub struct Provider {
    pub conversations: Vec<Conversation>,
    /// Executed dials, by call and purpose.
    dials: BTreeMap<(u128, &'static str), u32>,
    /// Which call rang the caller of a call at the PBX, whichever process that call belongs to.
    rung: BTreeMap<(u64, &'static str), CallId>,
    /// Cloned voices.
    pub voices: BTreeMap<VoiceId, HeldVoice>,
    /// Clones in progress, by caller.
    pub cloning: BTreeMap<String, u32>,
}

impl Provider {
    /// A telephone rings. Returns the conversation's number.
    pub fn dialled(&mut self, call: CallId, pbx: u64, purpose: Purpose) -> usize {
        let rung = self.rung.insert((pbx, purpose.name()), call);
        assert_eq!(rung, None, "the caller of {pbx} is rung twice: {} of call {call}", purpose.name());
        let times = self.dials.entry((call.0, purpose.name())).or_default();
        *times += 1;
        assert_eq!(*times, 1, "{} of call {call} was dialled twice", purpose.name());
        let number = self.conversations.len();
        self.conversations.push(Conversation {
            id: ConversationId::new(format!("conv_{number}")),
            call,
            purpose,
            is_over: false,
            was_reported: false,
        });
        number
    }

    pub fn find(&self, call: CallId, purpose: Purpose) -> Option<&Conversation> {
        self.conversations.iter().rev().find(|c| c.call == call && c.purpose == purpose)
    }

    pub fn dials(&self) -> usize {
        self.dials.len()
    }
}
