//! Endpoints over conversations: get, delete, audio, search.

use std::time::Duration;

use serde_json::{Value, json};

use super::answer::{Answer, AnswerBody, problem};
use super::audio::{Codec, Format};
use super::context::Context;
use super::conversation::{Conversation, Status};
use super::request::Request;

/// Filters of the OpenAPI file that are not simulated. A request with one is refused: ignoring it would find too much.
const NOT_SERVED: [&str; 27] = [
    "visited_agent_ids",
    "visited_agent_branch_ids",
    "triggered_procedure_ids",
    "rating_max",
    "rating_min",
    "has_feedback_comment",
    "evaluation_params",
    "data_collection_params",
    "data_collection_ids",
    "evaluation_criteria_ids",
    "tool_names",
    "tool_names_successful",
    "tool_names_errored",
    "include_invalid_tool_calls",
    "main_languages",
    "search",
    "text_only",
    "conversation_product_type",
    "branch_id",
    "version_id",
    "parent_conversation_id",
    "topic_ids",
    "tag_ids",
    "workflow_node_entered_id",
    "guardrail_types",
    "custom_guardrail_names",
    "dynamic_variable_params",
];

/// `GET /v1/convai/conversations/{id}`.
pub(super) fn get(context: &Context, id: &str, request: &Request) -> Answer {
    if request.param("format").is_some_and(|format| format != "json") {
        return Answer::plain(501, "the simulator serves format=json only");
    }
    let world = context.world();
    world
        .conversations
        .get(id)
        .map_or_else(|| Answer::conversation_not_found(id), |found| Answer::ok(found.full()))
}

/// `DELETE /v1/convai/conversations/{id}`. It does not end a live call, but the call sends no report.
pub(super) fn delete(context: &Context, id: &str) -> Answer {
    if !context.world().conversations.delete(id) {
        return Answer::conversation_not_found(id);
    }
    Answer::ok(json!({}))
}

/// `GET /v1/convai/conversations/{id}/audio`: silence in an MP3, once the conversation is over.
pub(super) fn audio(context: &Context, id: &str) -> Answer {
    let world = context.world();
    let over = world.conversations.get(id).is_some_and(|found| found.status == Status::Done);
    if !over {
        return Answer::conversation_not_found(id);
    }
    let format = Format { codec: Codec::Mp3 { kbps: 64 }, rate: 44_100 };
    let sound = format.sound(0, Duration::from_secs(1)).unwrap_or_default();
    Answer { status: 200, headers: Vec::new(), body: AnswerBody::Chunked(format.content_type(), sound) }
}

/// `GET /v1/convai/conversations`.
pub(super) fn search(context: &Context, request: &Request) -> Result<Answer, Answer> {
    if let Some(name) = NOT_SERVED.iter().find(|name| request.param(name).is_some()) {
        return Err(Answer::plain(501, &format!("the simulator does not serve the filter {name}")));
    }
    let page_size = request.page_size(30)?;
    let filter = Filter::of(request)?;
    let ascending = match request.param("sort_direction") {
        None | Some("desc") => false,
        Some("asc") => true,
        Some(other) => {
            let message = "Input should be 'asc' or 'desc'";
            let input = Value::String(other.to_owned());
            return Err(Answer::invalid(vec![problem(&["query", "sort_direction"], "enum", message, input)]));
        }
    };
    let after = request.param("cursor").and_then(|cursor| u64::from_str_radix(cursor, 16).ok());
    let world = context.world();
    let mut found: Vec<&Conversation> = world.conversations.all().filter(|one| filter.takes(one)).collect();
    if !ascending {
        found.reverse();
    }
    if let Some(after) = after {
        found.retain(|one| if ascending { one.number > after } else { one.number < after });
    }
    let has_more = found.len() > page_size;
    found.truncate(page_size);
    let next = found.last().filter(|_| has_more).map(|one| format!("{:x}", one.number));
    let conversations: Vec<Value> = found.iter().map(|one| one.summary()).collect();
    Ok(Answer::ok(json!({"conversations": conversations, "next_cursor": next, "has_more": has_more})))
}

struct Filter<'a> {
    agent_id: Option<&'a str>,
    user_id: Option<&'a str>,
    source: Option<&'a str>,
    successful: Option<&'a str>,
    excluded: Vec<&'a str>,
    reasons: Vec<&'a str>,
    after: Option<i64>,
    before: Option<i64>,
    shortest: Option<i64>,
    longest: Option<i64>,
}

impl<'a> Filter<'a> {
    fn of(request: &'a Request) -> Result<Self, Answer> {
        Ok(Self {
            agent_id: request.param("agent_id"),
            user_id: request.param("user_id"),
            source: request.param("conversation_initiation_source"),
            successful: request.param("call_successful"),
            excluded: request.params("exclude_statuses"),
            reasons: request.params("termination_reasons"),
            after: request.integer("call_start_after_unix")?,
            before: request.integer("call_start_before_unix")?,
            shortest: request.integer("call_duration_min_secs")?,
            longest: request.integer("call_duration_max_secs")?,
        })
    }

    fn takes(&self, one: &Conversation) -> bool {
        let seconds = i64::try_from(one.length.as_secs()).unwrap_or(i64::MAX);
        self.agent_id.is_none_or(|id| one.about.agent_id == id)
            && self.user_id.is_none_or(|id| one.user_id() == Some(id))
            && self.source.is_none_or(|source| one.source() == source)
            && self.successful.is_none_or(|result| one.call_successful() == result)
            && !self.excluded.contains(&one.status.name())
            && (self.reasons.is_empty() || self.reasons.contains(&one.termination_reason()))
            && self.after.is_none_or(|after| one.start_unix() >= after)
            && self.before.is_none_or(|before| one.start_unix() <= before)
            && self.shortest.is_none_or(|shortest| seconds >= shortest)
            && self.longest.is_none_or(|longest| seconds <= longest)
    }
}
