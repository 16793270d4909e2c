//! What the agent's reports say beside the transcript: `report` of `PUT /sim/agent`.
//!
//! | field | meaning |
//! |---|---|
//! | `evaluation_criteria_results`, `data_collection_results` | objects by id; missing required fields are added |
//! | `transcript_summary`, `call_summary_title` | texts of the analysis |
//! | `call_successful` | `success`, `failure` or `unknown`; null: by the outcome |
//! | `cost_fiat` | the cost in USD |
//! | `call_result` | how the call was answered, as `voicemail`; null: `answered` on a SIP trunk |
//! | `multivoice` | the agent's turns have no `message`, only `multivoice_message`, a part for each sentence |
//! | `answering_machine_detection` | an object: a webhook of this type is posted before the report, with its fields |
//!
//! The content of the webhook `answering_machine_detection` is not in the provider's files: it has the agent, the
//! conversation and what was told.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// Most entries of an object.
const MOST_ENTRIES: usize = 200;
/// Longest text, in bytes.
const LONGEST_TEXT: usize = 16 * 1024;

/// Whether a call was a success (OpenAPI: `EvaluationSuccessResult`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)] // The provider's words.
pub enum CallSuccess {
    Success,
    Failure,
    Unknown,
}

impl CallSuccess {
    /// The provider's word.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Unknown => "unknown",
        }
    }
}

/// How a call was answered (facts page, section 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)] // The provider's words.
pub enum CallResult {
    Answered,
    Voicemail,
    Busy,
    NoAnswer,
    Failed,
}

/// What reports say; see the table above.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[allow(missing_docs)] // The table says it.
pub struct ReportScript {
    pub evaluation_criteria_results: Map<String, Value>,
    pub data_collection_results: Map<String, Value>,
    pub transcript_summary: String,
    pub call_summary_title: Option<String>,
    pub call_successful: Option<CallSuccess>,
    pub cost_fiat: Option<f64>,
    pub call_result: Option<CallResult>,
    pub multivoice: bool,
    pub answering_machine_detection: Option<Map<String, Value>>,
}

impl Default for ReportScript {
    fn default() -> Self {
        Self {
            evaluation_criteria_results: Map::new(),
            data_collection_results: Map::new(),
            transcript_summary: "A simulated conversation.".to_owned(),
            call_summary_title: Some("Simulated conversation".to_owned()),
            call_successful: None,
            cost_fiat: None,
            call_result: None,
            multivoice: false,
            answering_machine_detection: None,
        }
    }
}

impl ReportScript {
    /// Says what is wrong.
    pub(super) fn check(&self) -> Result<(), String> {
        let title = self.call_summary_title.as_deref().unwrap_or_default();
        if self.transcript_summary.len() > LONGEST_TEXT || title.len() > LONGEST_TEXT {
            return Err(format!("summary and title have at most {LONGEST_TEXT} bytes"));
        }
        let results = [&self.evaluation_criteria_results, &self.data_collection_results];
        let detection = self.answering_machine_detection.as_ref();
        if results.into_iter().chain(detection).any(|entries| entries.len() > MOST_ENTRIES) {
            return Err(format!("an object has at most {MOST_ENTRIES} entries"));
        }
        if results.into_iter().flat_map(Map::values).any(|result| !result.is_object()) {
            return Err("each result is an object".to_owned());
        }
        Ok(())
    }

    /// The provider's `ConversationHistoryAnalysisCommonModel`.
    pub(super) fn analysis(&self, call_successful: &str) -> Value {
        json!({
            "evaluation_criteria_results": completed(
                &self.evaluation_criteria_results,
                "criteria_id",
                &[("result", "unknown"), ("rationale", "")],
            ),
            "data_collection_results":
                completed(&self.data_collection_results, "data_collection_id", &[("rationale", "")]),
            "call_successful": call_successful,
            "transcript_summary": self.transcript_summary,
            "call_summary_title": self.call_summary_title,
        })
    }
}

/// The results with their ids and the fields that the provider always sends.
fn completed(results: &Map<String, Value>, id_field: &str, defaults: &[(&str, &str)]) -> Value {
    let mut completed = results.clone();
    for (id, result) in &mut completed {
        let Some(fields) = result.as_object_mut() else { continue };
        fields.entry(id_field).or_insert_with(|| json!(id));
        for (name, value) in defaults {
            fields.entry(*name).or_insert_with(|| json!(value));
        }
    }
    Value::Object(completed)
}
