//! ElevenLabs clients, one pair per arbiter.

use std::sync::Arc;

use precall_providers::elevenlabs::{ElevenLabs, Permit, Settings};

use crate::runtime::per_arbiter::PerArbiter;

/// Two clients with a connection pool each, so that slow uploads cannot delay a greeting.
pub struct Clients {
    /// For greeting and agent dials.
    pub dials: ElevenLabs,
    /// For uploads and look-ups.
    pub bulk: ElevenLabs,
}

/// Creates the ElevenLabs clients of each arbiter on first use. `permit` is asked before a dial or a new voice leaves.
#[must_use]
pub(crate) fn elevenlabs_clients(settings: Arc<Settings>, permit: Permit) -> PerArbiter<Clients> {
    let client = move || ElevenLabs::new(Arc::clone(&settings)).with_permit(Arc::clone(&permit));
    PerArbiter::new(move || Clients { dials: client(), bulk: client() })
}
