//! The scripts of the simulated agent: conversations take them in turn.

use precall_simulators::elevenlabs::{Act, Pace, Say, Script, Step, Until};

/// How long one script delays an answer: longer than `STALL_SECONDS`, so that music fills the wait.
const STALL_MS: u64 = 3_500;
/// `AGENT_STALL_SECONDS` of the demo.
pub(super) const STALL_SECONDS: &str = "2";
/// Long enough for a recording to show that the agent has stopped.
const QUIET_MS: u64 = 1_200;

/// All scripts; the first is the usual one.
pub(super) fn all() -> Result<Vec<Script>, String> {
    let asks = || Act::Hear { text: Some("When are you open?".to_owned()), within_ms: 3_000 };
    let at_once = Pace { piece_ms: 250, every_ms: 0, pieces: 1 };
    let slow = Pace { piece_ms: 100, every_ms: 130, pieces: 1 };
    let dialogues = [
        vec![say(1_500), asks(), say(1_200)],
        vec![
            say(800),
            asks(),
            Act::Say(Say { interrupt_after_ms: Some(1_200), late_pieces: 3, ..said(5_000) }),
            Act::Wait { ms: QUIET_MS },
            say(800),
        ],
        vec![say(800), asks(), Act::Stall { ms: STALL_MS }, say(1_000)],
        vec![
            Act::Say(Say { pace: Some(at_once), ..said(1_500) }),
            asks(),
            Act::Say(Say { pace: Some(slow), ..said(1_500) }),
        ],
        // The agent ends the call while the caller still hears most of it.
        vec![say(800), asks(), Act::Say(Say { until: Until::Sent, ..said(1_500) })],
    ];
    dialogues
        .into_iter()
        .map(|acts| Script::new(acts.into_iter().chain([Act::End {}]).map(Step::Act).collect()))
        .collect()
}

fn say(ms: u64) -> Act {
    Act::Say(said(ms))
}

fn said(ms: u64) -> Say {
    Say { text: "We are open from nine to five.".to_owned(), ms: Some(ms), ..Say::default() }
}
