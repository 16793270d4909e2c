//! What a start reads back: live calls, reports that are due, budgets, the words of calls.

pub mod budget_use;
pub mod call_context;
pub mod due_conversations;
pub mod recent_calls;
pub mod unmatched_reports;
pub mod utterances;
