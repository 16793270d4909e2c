//! `precall canary`: makes a test call now, and shows its steps.

use std::time::Duration;

use serde_json::{Value, json};

use super::Exit;
use super::service::Output;

/// A test call on route `callback` waits for ElevenLabs' report.
const ENDED_WITHIN: Duration = Duration::from_secs(600);
const LOOK_EVERY: Duration = Duration::from_millis(500);

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Only show how the latest test call ended
    #[arg(long)]
    last: bool,
    #[command(flatten)]
    output: Output,
}

pub(super) async fn run(arguments: Arguments) -> Exit {
    match tokio::time::timeout(ENDED_WITHIN, tried(&arguments)).await {
        Ok(tried) => tried.unwrap_or_else(|exit| exit),
        Err(_) => {
            eprintln!("precall: the test call has not ended within {} s", ENDED_WITHIN.as_secs());
            Exit::Failed
        }
    }
}

async fn tried(arguments: &Arguments) -> Result<Exit, Exit> {
    let service = &arguments.output.service;
    let wanted = match arguments.last {
        true => None,
        false => Some(id(&service.post::<Value>("canary", &json!({})).await?)),
    };
    loop {
        let canary: Value = service.get("canary").await?;
        let items = canary.get("items").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let run = items.iter().find(|run| wanted.as_ref().is_none_or(|wanted| id(run) == *wanted));
        let Some(run) = run else {
            println!("There was no test call yet.");
            return Ok(Exit::Good);
        };
        if run.get("outcome").is_some_and(Value::is_string) || wanted.is_none() {
            match arguments.output.json {
                true => println!("{run:#}"),
                false => print!("{}{}", shown(run), used(&canary)),
            }
            return Ok(if is_bad(run) { Exit::Failed } else { Exit::Good });
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

fn id(run: &Value) -> String {
    text(run, "id").to_owned()
}

fn text<'a>(run: &'a Value, name: &str) -> &'a str {
    run.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn number(value: &Value, name: &str) -> i64 {
    value.get(name).and_then(Value::as_i64).unwrap_or_default()
}

/// Whether the run found something wrong, or proves nothing.
fn is_bad(run: &Value) -> bool {
    text(run, "outcome") != "passed"
}

/// The steps and the result of a run.
fn shown(run: &Value) -> String {
    let steps = run.get("steps").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let mut said: String = steps
        .iter()
        .map(|step| format!("  ok      {:<12} {:>6} ms\n", text(step, "step"), number(step, "ms")))
        .collect();
    let words = text(run, "words");
    let because = if words.is_empty() { String::new() } else { format!(": {words}") };
    let result = match text(run, "outcome") {
        "passed" => format!("The test call passed{because}\n"),
        "failed" => {
            said.push_str(&format!("  FAILED  {}\n", text(run, "step")));
            format!("The test call failed at step {}{because}\n", text(run, "step"))
        }
        "interrupted" => format!("The test call was interrupted and proves nothing{because}\n"),
        "skipped" => format!("The test call was skipped{because}\n"),
        _ => "The test call has not ended yet.\n".to_owned(),
    };
    said.push_str(&result);
    let call = text(run, "call_id");
    if !call.is_empty() {
        said.push_str(&format!("The call: precall why {call}\n"));
    }
    said
}

/// What test calls cost within 24 hours.
fn used(canary: &Value) -> String {
    let Some(used) = canary.get("used") else { return String::new() };
    let cost = match used.get("cost_credits").and_then(Value::as_i64) {
        Some(credits) => format!("{credits} credits"),
        None => "no cost reported".to_owned(),
    };
    format!(
        "In 24 hours: {} of {} test calls, {} s of the agent, {cost}\n",
        number(used, "calls"),
        number(used, "calls_limit"),
        number(used, "agent_seconds"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_run_names_its_step_and_the_words_of_the_service() {
        let run = json!({ "outcome": "failed", "step": "agent", "words": "refused: no such agent", "call_id": "c1",
            "steps": [{ "step": "dial", "ms": 12 }, { "step": "offer", "ms": 30 }] });
        let said = shown(&run);
        assert!(said.contains("dial             12 ms"), "{said}");
        assert!(said.contains("failed at step agent: refused: no such agent"), "{said}");
        assert!(said.contains("precall why c1"), "{said}");
        assert!(is_bad(&run));
        assert!(!is_bad(&json!({ "outcome": "passed" })));
        assert!(is_bad(&json!({ "outcome": "skipped" })), "a skipped run proves nothing");
    }
}
