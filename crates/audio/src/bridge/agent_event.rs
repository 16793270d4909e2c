//! What an agent's session reports to the leg's owner.

use std::time::Duration;

use precall_call::{AgentLoss, ConversationId, HandoffFailure};
use serde_json::{Map, Value};

/// An event of an agent's session. Nothing follows `Failed`, `Ended` or `Lost`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AgentEvent {
    /// The session is open. The agent hears silence and is not heard.
    Ready(ConversationId),
    /// The session could not be opened.
    Failed {
        /// The cause, as far as it is known.
        why: HandoffFailure,
        /// Text for the log.
        detail: String,
    },
    /// The caller hears the agent's first word.
    Spoke,
    /// The agent ended the conversation, and the caller heard its last word; or no word, if `Spoke` did not come
    /// before.
    Ended,
    /// The session ended for another reason.
    Lost {
        /// The cause.
        why: AgentLoss,
        /// Text for the log.
        detail: String,
    },
    /// The caller spoke, and the agent answered.
    Answered {
        /// From the caller's last word sent to the provider until its answer began to arrive.
        provider: Duration,
        /// The rest of the time until the first piece of the answer was written into the leg.
        ours: Duration,
    },
    /// The caller interrupted the agent, and hears no more of it after this time.
    BargedIn {
        /// From the provider's word.
        stopped_after: Duration,
    },
    /// The caller's words, as the provider transcribed them.
    Heard(String),
    /// The agent's words as generated; the caller may not have heard all of them.
    Said {
        /// The words.
        text: String,
        /// The provider's number of the answer.
        event: Option<i64>,
    },
    /// The part of an interrupted answer that the caller heard.
    Corrected {
        /// The words.
        text: String,
        /// The provider's number of the answer.
        event: Option<i64>,
    },
    /// The agent called a client tool and waits for its result.
    ToolCalled {
        /// The provider's id of this tool call.
        id: String,
        /// Name of the tool.
        name: String,
        /// Parameters, as the model filled them in.
        parameters: Map<String, Value>,
    },
}
