//! Reports of the provider and events of the PBX.

use precall_actors::admission::call_registry::Sighting;
use precall_actors::caller_key::CallerKey;
use precall_base::phone_number::{CallerNumber, Region};
use precall_call::{Answered, ConversationId, Event, Grade, Purpose, Report};

pub(crate) fn succeeded(purpose: Purpose, attempt: u8, conversation: Option<ConversationId>) -> Event {
    match purpose {
        Purpose::Greeting => Event::GreetingStarted { conversation },
        Purpose::Agent => Event::HandoffSucceeded { attempt, conversation },
    }
}

pub(crate) fn report(conversation: ConversationId, purpose: Purpose) -> Report {
    Report {
        conversation,
        purpose: Some(purpose),
        grade: Grade::Completed,
        failure: None,
        duration: Some(std::time::Duration::from_secs(5)),
        has_words: true,
        has_analysis: false,
        answered: Answered::Unknown,
    }
}

pub(crate) fn sighting(pbx: u64) -> Sighting {
    Sighting {
        pbx: "default".to_owned(),
        threecx_call_id: Some(pbx.to_string()),
        caller: CallerNumber::parse("anonymous", Region::UNKNOWN),
        called: None,
    }
}

pub(crate) fn key_of(pbx: u64) -> CallerKey {
    CallerKey { account: "default".to_owned(), caller: (pbx % crate::world::CALLERS).to_string() }
}
