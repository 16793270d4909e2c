//! Measures actions on the leg: attach, routeto without a timeout, drop.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::audio::GetStream;
use super::finding::{Findings, words};
use super::leg::{LegToDrop, leg_path, look};
use super::pbx::Pbx;
use super::post_stream::PostStream;
use super::until::until;

const GONE_WITHIN: Duration = Duration::from_secs(2);
const STREAMS_END_WITHIN: Duration = Duration::from_secs(1);
/// The core's own limit, where REST adds none (3CX facts, section 1.3).
const CORE_LIMIT: Duration = Duration::from_secs(180);
const ABOUT: Duration = Duration::from_secs(10);

/// Values of `finalstatus` in results.
#[derive(Default)]
pub(super) struct Results(Vec<String>);

impl Results {
    pub(super) fn note(&mut self, result: &Value) {
        let Some(word) = result.get("finalstatus").map(ToString::to_string) else { return };
        if !self.0.contains(&word) {
            self.0.push(word);
        }
    }

    pub(super) fn tell(&self, findings: &mut Findings) {
        const NAME: &str = "result: finalstatus";
        if self.0.is_empty() {
            return findings.not_measured(NAME, "no result contained it");
        }
        let is_word = self.0.iter().all(|word| word == "\"Success\"");
        let value = self.0.join(" and ");
        let kind = if self.0.iter().all(|word| word.starts_with('"')) { "a word" } else { "a number" };
        findings.measured(NAME, format_args!("{value}, {kind}"), "\"Success\", a word", is_word);
    }
}

/// Attaches data to the leg.
pub(super) async fn attach(
    pbx: &Pbx,
    leg: &str,
    results: &mut Results,
    findings: &mut Findings,
) -> Result<(), String> {
    let body = json!({"attacheddata": {"public_precall_check": "1"}});
    let answer = pbx.post(&leg_path(pbx.own_dn(), leg, "attach_participant_data"), &body).await?;
    let value = if answer.is_success() { answer.status.to_string() } else { answer.to_string() };
    findings.measured("attach: status", value, "200, 202 or 204", matches!(answer.status, 200 | 202 | 204));
    results.note(&answer.json());
    Ok(())
}

/// Routes the leg to an unanswered telephone and waits until the PBX gives up, at most `limit`.
pub(super) async fn routeto(
    pbx: &Pbx,
    leg: &str,
    destination: &str,
    limit: Duration,
    findings: &mut Findings,
) {
    const NAME: &str = "routeto: default timeout";
    const EXPECTED: &str = "180 s";
    let begun = Instant::now();
    let body = json!({"reason": "None", "destination": destination});
    let answer = pbx.post_within(&leg_path(pbx.own_dn(), leg, "routeto"), &body, limit).await;
    let took = begun.elapsed();
    let after = format!("{:.1} s", took.as_secs_f64());
    match answer {
        Ok(answer) if answer.is_success() => {
            findings.not_measured(
                NAME,
                format_args!("the telephone was answered after {after} ({})", answer.status),
            );
        }
        Ok(answer) => {
            let reason = answer.json().get("reason").map(ToString::to_string).unwrap_or_default();
            let gave_up =
                ["1", "4", "\"OperationTimeout\"", "\"DestinationNoAnswer\""].contains(&reason.as_str());
            let value = format!("{after}, answered {} ({})", answer.status, words(&answer.body));
            if gave_up {
                let is_core = took.abs_diff(CORE_LIMIT) < ABOUT;
                findings.measured(NAME, value, EXPECTED, is_core);
            } else {
                findings.not_measured(NAME, format_args!("the destination was refused: {value}"));
            }
        }
        Err(_) if took >= limit => {
            findings.measured(
                NAME,
                format_args!("over {after}, then the check stopped waiting"),
                EXPECTED,
                limit < CORE_LIMIT,
            );
        }
        Err(error) => findings.not_measured(NAME, error),
    }
}

/// Drops the call and watches the leg and its streams.
pub(super) async fn drop_leg(
    pbx: &Pbx,
    leg: &str,
    to_drop: &LegToDrop,
    streams: Option<(GetStream, PostStream)>,
    results: &mut Results,
    findings: &mut Findings,
) -> Result<(), String> {
    // A quick PBX has ended them when its answer is read.
    let streams = streams.filter(|(get, post)| get.ended().is_none() && post.ended().is_none());
    let answer = pbx.post(&leg_path(pbx.own_dn(), leg, "drop"), &json!({})).await?;
    let begun = Instant::now();
    let value = if answer.is_success() { answer.status.to_string() } else { answer.to_string() };
    findings.measured("drop: status", value, "200, 202 or 204", matches!(answer.status, 200 | 202 | 204));
    results.note(&answer.json());
    if answer.is_success() {
        to_drop.let_go();
    }
    const STREAMS: &str = "drop: streams";
    match streams {
        None => findings.not_measured(STREAMS, "they ended before the drop"),
        Some((get, post)) => {
            let got = until(STREAMS_END_WITHIN, || get.ended()).await;
            let posted = until(STREAMS_END_WITHIN, || post.ended()).await;
            let get = got.map_or("stays open".to_owned(), |(at, is_clean)| {
                let how = if is_clean { "ends" } else { "is cut" };
                format!("{how} after {} ms", at.saturating_duration_since(begun).as_millis())
            });
            let post = posted.as_ref().map_or("stays open".to_owned(), |end| {
                format!("{end} after {} ms", end.at().saturating_duration_since(begun).as_millis())
            });
            let value = format!("GET {get}; POST {post}");
            let is_expected = got.is_some() && posted.is_some();
            findings.measured(STREAMS, value, "both end, with or without an answer", is_expected);
        }
    }
    let gone = async {
        loop {
            let answer = look(pbx, leg).await?;
            if answer.status != 200 {
                return Ok::<_, String>(answer);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    const GONE: &str = "drop: the leg afterwards";
    match tokio::time::timeout(GONE_WITHIN, gone).await {
        Ok(answer) => {
            let answer = answer?;
            findings.measured(GONE, answer.status, "404 or 403", matches!(answer.status, 403 | 404));
        }
        Err(_) => findings.measured(GONE, "still listed after 2 s", "404 or 403", false),
    }
    Ok(())
}
