//! Dials through ElevenLabs. A dial that was surely not executed, and that waiting can help, is repeated for a moment:
//! the next rung would cost the caller's voice, or the greeting.

use std::time::Duration;

use precall_base::backoff::Backoff;
use precall_base::clock;
use precall_call::CallId;
use precall_providers::elevenlabs::{Dialled, OutboundCall, ProviderError};
use slog::warn;

use crate::call::services::CallServices;
use crate::runtime::clients::Clients;

/// Dials in all. The caller's telephone is silent meanwhile.
const DIALS_MAX: u32 = 3;
/// Pause before the second dial, and the longest one.
const PAUSE: Duration = Duration::from_millis(500);
const PAUSE_MAX: Duration = Duration::from_secs(2);
/// No dial begins later than this after the first.
const WITHIN: Duration = Duration::from_secs(6);

/// Dials, at most three times.
///
/// # Errors
/// The last error. After [`Execution::Maybe`](precall_providers::elevenlabs::Execution::Maybe) a telephone may ring.
pub(crate) async fn dial(
    services: &CallServices,
    clients: &Clients,
    call: CallId,
    outbound: &OutboundCall,
) -> Result<Dialled, ProviderError> {
    let give_up_at = clock::now().plus(WITHIN);
    let mut pauses = Backoff::new(PAUSE, PAUSE_MAX);
    let mut number = 1;
    loop {
        let answer = clients.dials.outbound_call(outbound, services.dial.dial_within).await;
        services.provider.note(&answer);
        let Err(error) = answer else { return answer };
        let pause = error.retry_after.unwrap_or(PAUSE).max(pauses.wait());
        let may_repeat = error.is_passing() && error.may_be_sent_again() && number < DIALS_MAX;
        if !may_repeat || clock::now().plus(pause) >= give_up_at {
            return Err(error);
        }
        warn!(services.log, "ElevenLabs did not dial, retrying"; "call" => %call, "dial" => number,
            "error" => %error);
        tokio::time::sleep(pause).await;
        // Another process may have taken over meanwhile.
        if services.persistence_state.may_act().await.is_none() {
            return Err(error);
        }
        number += 1;
    }
}
