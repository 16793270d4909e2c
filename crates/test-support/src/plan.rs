//! Settings of a test world, where they differ from the usual ones.

use std::time::Duration;

use precall_actors::runtime::fault_injection::Faults;

/// Settings of a [`crate::World`].
pub struct Plan {
    pub env: Vec<(String, String)>,
    /// How long a clone takes, in milliseconds: a number or a range, as the simulator reads it.
    pub clone_delay: &'static str,
    /// How long a conversation by telephone lasts.
    pub conversation: Duration,
    pub voice_slots: u32,
    /// The wait of the simulator before it posts a webhook again. ElevenLabs waits minutes.
    pub retry_after: Duration,
    pub faults: Faults,
    /// The log of the service.
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
