//! How long the attack takes and what it may use: environment variables, all with a default.

use std::time::Duration;

/// The seed of the short run. It is always the same, so that a change is tested with the same faults as the one before.
const SEED: u64 = 20;
const SECONDS: u64 = 40;
const CALLS: u64 = 12;

/// The settings of a run.
#[derive(Clone, Debug)]
pub struct Settings {
    pub seed: u64,
    /// For both routes together.
    pub lasts: Duration,
    /// How many callers are on the line.
    pub calls: u64,
    /// Only faults whose name contains this.
    pub only: Option<String>,
    /// A long run has also two faults at a time.
    pub is_long: bool,
}

impl Settings {
    /// As the environment says.
    pub fn asked_for() -> Self {
        let seconds = number("CHAOS_SECONDS");
        let only = std::env::var("CHAOS_FAULTS").ok().filter(|name| !name.is_empty());
        Self {
            seed: number("CHAOS_SEED").unwrap_or(SEED),
            lasts: Duration::from_secs(seconds.unwrap_or(SECONDS)),
            calls: number("CHAOS_CALLS").unwrap_or(CALLS).max(1),
            is_long: seconds.is_some() || only.is_some(),
            only,
        }
    }

    /// The command that does the same again.
    pub fn again(&self) -> String {
        let only = self.only.as_ref().map(|name| format!("CHAOS_FAULTS='{name}' ")).unwrap_or_default();
        let seconds =
            if self.is_long { format!("CHAOS_SECONDS={} ", self.lasts.as_secs()) } else { String::new() };
        let (seed, calls) = (self.seed, self.calls);
        format!("CHAOS_SEED={seed} {seconds}CHAOS_CALLS={calls} {only}cargo test --test chaos -- --nocapture")
    }
}

/// The number in an environment variable. A value that is no number is a mistake of whoever set it.
pub fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")))
}
