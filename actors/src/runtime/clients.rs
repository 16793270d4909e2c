//! ElevenLabs clients, one pair per arbiter.

use std::sync::Arc;

use precall_providers::elevenlabs::{ElevenLabs, Settings};

use crate::runtime::per_arbiter::PerArbiter;

/// Two clients with a connection pool each, so that slow uploads cannot delay a greeting.
pub struct Clients {
    /// For greeting and agent dials.
    pub dials: ElevenLabs,
    /// For uploads and look-ups.
    pub bulk: ElevenLabs,
}

/// Creates the ElevenLabs clients of each arbiter on first use.
#[must_use]
pub fn elevenlabs_clients(settings: Arc<Settings>) -> PerArbiter<Clients> {
    PerArbiter::new(move || Clients {
        dials: ElevenLabs::new(Arc::clone(&settings)),
        bulk: ElevenLabs::new(Arc::clone(&settings)),
    })
}
