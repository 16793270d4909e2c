//! What a world of a test is made of, where it is not as usual.

use std::time::Duration;

use precall_actors::runtime::fault_injection::Faults;

/// What a world is made of.
pub struct Plan {
    pub env: Vec<(String, String)>,
    pub clone_delay: &'static str,
    pub conversation: Duration,
    pub voice_slots: u32,
    /// How long the simulator waits before it posts a report again; the provider waits minutes.
    pub retry_after: Duration,
    pub faults: Faults,
    /// Where the service's lines go.
    pub log: slog::Logger,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            env: Vec::new(),
            clone_delay: "50",
            conversation: Duration::from_millis(60),
            voice_slots: 1_000,
            retry_after: Duration::from_millis(100),
            faults: Faults::default(),
            log: slog::Logger::root(slog::Discard, slog::o!()),
        }
    }
}

impl Plan {
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn conversation_ms(mut self, ms: u64) -> Self {
        self.conversation = Duration::from_millis(ms);
        self
    }

    pub fn clone_delay_ms(mut self, delay: &'static str) -> Self {
        self.clone_delay = delay;
        self
    }
}
