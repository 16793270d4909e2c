//! This machine's clock against those of ElevenLabs, 3CX and PostgreSQL. Signatures of webhooks are valid for minutes,
//! and only seconds into the future.

use super::finding::Judgement;
use super::world::{SeenClock, World};

/// An answer's `Date` is in whole seconds, and the answer takes time.
const OFF_MIN: i64 = 5;
/// From here on webhooks are refused: their time may be 60 s in the future.
const OFF_MAX: i64 = 60;

pub(super) fn look(world: &World<'_>) -> Vec<Judgement> {
    world.clocks.iter().copied().map(judge).collect()
}

fn judge(clock: SeenClock) -> Judgement {
    let ahead = clock.ours.saturating_sub(clock.theirs);
    let off = ahead.saturating_abs();
    let direction = if ahead > 0 { "ahead of" } else { "behind" };
    let text = format!("this machine's clock is {off} s {direction} the clock of {}", clock.of);
    let remedy = "synchronise both clocks (NTP)";
    if off < OFF_MIN {
        Judgement::Good(format!("it agrees with the clock of {}", clock.of))
    } else if off < OFF_MAX {
        Judgement::Note(format!("{text}: {remedy}"))
    } else {
        Judgement::Wrong(format!("{text}: webhooks are refused. {remedy}"))
    }
}

#[cfg(test)]
mod tests;
