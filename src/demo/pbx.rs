//! The simulated PBX of the demo, and what its callers heard. The service is not asked.

use std::fmt;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use precall_call::At;
use precall_simulators::threecx::{CallReport, Fault, NewCall, Options, Simulator, Trunk};
use serde::{Deserialize, Serialize};

use super::DemoError;
use super::bridged::Judge;
use super::heartbeat::Stalls;
use super::percentiles::Percentiles;

/// The client of the demo, and its route point.
pub(super) const CLIENT_ID: &str = "900";
/// The DN whose trunk leads to the simulated ElevenLabs.
pub(super) const AGENT_DN: &str = "800";
/// Callers miss this much of the first audio, as some telephones do.
const DISCARD_FIRST_MS: u64 = 250;
/// A shorter silence is no gap, in milliseconds.
const GAP_MS: i64 = 40;
const BYTES_PER_MS: i64 = 16;
/// Lead silence and notice before a greeting, in milliseconds.
const GREETED_WITHIN_MS: i64 = 5_000;
const ARRIVALS_WITHIN: Duration = Duration::from_secs(10);
/// 10,000 pieces, which the simulator keeps at most.
const ARRIVALS_MAX: usize = 1 << 20;

/// A PBX whose trunk leads to `agent`.
pub(super) async fn start(agent: &str, secret: &str) -> Result<Simulator, DemoError> {
    let failed = |error: &dyn fmt::Display| DemoError::Setup(format!("the simulated PBX: {error}"));
    let secret = secret.parse().map_err(|error| failed(&error))?;
    let trunk: Trunk = format!("{AGENT_DN}={agent}").parse().map_err(|error| failed(&error))?;
    let trunk = Trunk { agent_id: Some(super::AGENT_ID.to_owned()), ..trunk };
    let options = Options { trunks: vec![trunk], ..Options::new(CLIENT_ID, secret) };
    let simulator = Simulator::start(options).await?;
    let deaf_at_first = Fault { discard_first_ms: Some(DISCARD_FIRST_MS), ..Fault::default() };
    simulator.set_faults(vec![deaf_at_first]);
    Ok(simulator)
}

/// A call comes in. Returns the PBX's id of the call.
pub(super) fn ring(simulator: &Simulator, caller: &str, called: &str) -> Result<String, DemoError> {
    let call = NewCall { called: called.to_owned(), ..NewCall::from(caller) };
    let placed = simulator.place_call(call).map_err(DemoError::Setup)?;
    Ok(placed.call_id)
}

/// When the recording of a call begins: with the first byte of audio.
pub(super) fn recording_begins(simulator: &Simulator, id: &str) -> Option<Timestamp> {
    let first_byte: Timestamp = simulator.call(id)?.first_byte_at?.parse().ok()?;
    first_byte.checked_add(SignedDuration::from_millis(i64::try_from(DISCARD_FIRST_MS).ok()?)).ok()
}

/// A silence because no audio was there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Gap {
    pub(super) from: At,
    pub(super) to: At,
}

/// The gaps of these calls, by the times at which their audio arrived at the PBX.
pub(super) async fn gaps(simulator: &Simulator, ids: &[String]) -> Result<Vec<Gap>, DemoError> {
    let client = awc::Client::builder().timeout(ARRIVALS_WITHIN).finish();
    let mut gaps = Vec::new();
    for id in ids {
        let Some(began) = simulator.call(id).and_then(|call| call.first_byte_at?.parse::<Timestamp>().ok())
        else {
            continue;
        };
        let failed = |error: &dyn fmt::Display| DemoError::Setup(format!("arrivals of call {id}: {error}"));
        let url = format!("{}/sim/calls/{id}/arrivals", simulator.base_url());
        let mut answer = client.get(url).send().await.map_err(|error| failed(&error))?;
        let body = answer.body().limit(ARRIVALS_MAX).await.map_err(|error| failed(&error))?;
        let arrivals: Vec<Arrival> = serde_json::from_slice(&body).map_err(|error| failed(&error))?;
        gaps.extend(gaps_between(&arrivals, At(began.as_microsecond())));
    }
    Ok(gaps)
}

/// A piece of audio that arrived.
#[derive(Clone, Copy, Debug, Deserialize)]
struct Arrival {
    after_ms: i64,
    bytes: i64,
}

fn gaps_between(arrivals: &[Arrival], began: At) -> Vec<Gap> {
    let (mut gaps, mut played_until) = (Vec::new(), 0_i64);
    for piece in arrivals {
        if piece.after_ms > played_until.saturating_add(GAP_MS) {
            let at = |ms: i64| At(began.0.saturating_add(ms.saturating_mul(1_000)));
            gaps.push(Gap { from: at(played_until), to: at(piece.after_ms) });
        }
        played_until = played_until.max(piece.after_ms).saturating_add(piece.bytes / BYTES_PER_MS);
    }
    gaps
}

/// What the callers heard until a transfer or the end.
#[derive(Clone, Debug, Serialize)]
pub struct Heard {
    /// Calls that were checked.
    pub calls: usize,
    /// Connected to the first byte at the PBX, milliseconds.
    pub first_frame_ms: Percentiles,
    /// Connected to the first sound that the caller heard, milliseconds.
    pub first_sound_ms: Percentiles,
    /// Calls in which the whole greeting was heard, although the first 250 ms of audio were lost.
    pub whole_greetings: usize,
    /// Calls in which it was not, while the machine let the process wait for a processor.
    pub greetings_of_machine: usize,
    /// Silences of over 40 ms because the buffer was empty, while the machine was not late.
    pub gaps: usize,
    /// The same, while the machine let the process wait for a processor.
    pub gaps_of_machine: usize,
    /// The longest time with an empty buffer, milliseconds.
    pub longest_gap_ms: u64,
    /// Bytes that were sent after the caller had hung up.
    pub bytes_after_hangup: u64,
    /// Calls with more or fewer than one audio stream.
    pub not_one_stream: usize,
    /// Legs that were not released.
    pub orphan_legs: usize,
    /// Whether gaps count.
    #[serde(skip)]
    judge: Judge,
}

impl Heard {
    /// Checks the calls with these PBX ids. `greeting` is the recording, as samples.
    pub(super) fn of(
        simulator: &Simulator,
        ids: &[String],
        greeting: &[u8],
        judge: Judge,
        when: &[Gap],
        stalls: &Stalls,
    ) -> Self {
        let reports: Vec<CallReport> = ids.iter().filter_map(|id| simulator.call(id)).collect();
        let is_whole = |id: &&String| {
            let audio = simulator.audio(id).unwrap_or_default();
            audio.windows(greeting.len().max(1)).step_by(2).any(|heard| heard == greeting)
        };
        let (whole, broken): (Vec<&String>, Vec<&String>) = ids.iter().partition(is_whole);
        // Lead silence, notice and greeting are over by then.
        let length = i64::try_from(greeting.len()).unwrap_or(0) / BYTES_PER_MS + GREETED_WITHIN_MS;
        let broken_by_machine = broken.into_iter().filter(|id| {
            let began = simulator.call(id).and_then(|call| call.first_byte_at?.parse::<Timestamp>().ok());
            began.is_some_and(|began| {
                let from = began.as_microsecond();
                stalls.explain(At(from), At(from.saturating_add(length.saturating_mul(1_000))))
            })
        });
        let figures = |of: fn(&CallReport) -> Option<u64>| Percentiles::of(reports.iter().filter_map(of));
        let gaps: usize =
            reports.iter().map(|report| report.gaps_ms.len().saturating_add(report.breaks_ms.len())).sum();
        let explained = when.iter().filter(|gap| stalls.explain(gap.from, gap.to)).count().min(gaps);
        Self {
            calls: reports.len(),
            first_frame_ms: figures(|report| report.first_frame_ms),
            first_sound_ms: figures(|report| report.first_sound_ms),
            whole_greetings: whole.len(),
            greetings_of_machine: broken_by_machine.count(),
            gaps: gaps.saturating_sub(explained),
            gaps_of_machine: explained,
            longest_gap_ms: reports.iter().map(|report| report.longest_gap_ms).max().unwrap_or(0),
            bytes_after_hangup: reports.iter().map(|report| report.bytes_after_hangup).sum(),
            not_one_stream: reports.iter().filter(|report| report.posts_opened != 1).count(),
            orphan_legs: simulator.legs(),
            judge,
        }
    }

    /// Whether every caller heard what they should.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.whole_greetings.saturating_add(self.greetings_of_machine) == self.calls
            && (self.gaps == 0 || self.judge == Judge::OrderAlone)
            && self.bytes_after_hangup == 0
            && self.not_one_stream == 0
            && self.orphan_legs == 0
    }
}

impl fmt::Display for Heard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "as the callers heard it:")?;
        writeln!(f, "  first frame at the PBX   {}", self.first_frame_ms)?;
        writeln!(f, "  first sound heard        {}", self.first_sound_ms)?;
        writeln!(f, "  greeting heard whole     {} of {}", self.whole_greetings, self.calls)?;
        if self.greetings_of_machine > 0 {
            writeln!(f, "  torn by the machine      {}", self.greetings_of_machine)?;
        }
        writeln!(f, "  gaps over 40 ms          {} (longest {} ms)", self.gaps, self.longest_gap_ms)?;
        if self.gaps_of_machine > 0 {
            writeln!(f, "  more, the machine's      {}", self.gaps_of_machine)?;
        }
        writeln!(f, "  bytes after hang-up      {}", self.bytes_after_hangup)?;
        writeln!(f, "  calls not of one stream  {}", self.not_one_stream)?;
        write!(f, "  orphan legs              {}", self.orphan_legs)
    }
}
