//! What an agent's session tells the leg's owner.

use precall_call::{AgentLoss, ConversationId, HandoffFailure};
use serde_json::{Map, Value};

/// One thing that happened. After `Failed`, `Ended` or `Lost` nothing follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AgentNews {
    /// It is there, hears silence, and is not heard.
    Ready(ConversationId),
    /// It could not be made ready.
    Failed {
        /// What is known of it.
        why: HandoffFailure,
        /// For people.
        detail: String,
    },
    /// The agent ended the conversation, and its last word was heard.
    Ended,
    /// The session is over otherwise.
    Lost {
        /// How.
        why: AgentLoss,
        /// For people.
        detail: String,
    },
    /// What the caller said, as the provider understood it.
    Heard(String),
    /// What the agent says: as it was generated, not as it was heard.
    Said {
        /// The words.
        text: String,
        /// The provider's number of the answer.
        event: Option<i64>,
    },
    /// What was heard of an answer that was interrupted.
    Corrected {
        /// The words.
        text: String,
        /// The provider's number of the answer.
        event: Option<i64>,
    },
    /// The agent uses a tool of ours and waits for its result.
    ToolCalled {
        /// The provider's id of this use.
        id: String,
        /// Of the tool.
        name: String,
        /// What the model filled in.
        parameters: Map<String, Value>,
    },
}
