//! Requests of the feed to the PBX: one leg, or all legs.

use std::time::Duration;

use precall_providers::threecx::address::LegAddress;
use precall_providers::threecx::client::ThreeCx;
use precall_providers::threecx::error::ThreeCxError;
use precall_providers::threecx::participant::Participant;
use precall_providers::threecx::settings::Settings;

use super::reconnect::is_refusal;
use super::trouble;
use crate::pbx::leg_book::FetchResult;

/// Waits before a leg is requested again: a leg that just rang must not wait for the next event.
const FETCH_AGAIN_AFTER: [Duration; 2] = [Duration::from_millis(100), Duration::from_millis(400)];

pub(crate) async fn fetch(client: &ThreeCx, leg: &LegAddress) -> FetchResult {
    let mut waits = FETCH_AGAIN_AFTER.into_iter();
    loop {
        match client.participant(leg).await {
            Ok(participant) => return FetchResult::Present(Box::new(participant)),
            Err(error) if error.means_gone() => return FetchResult::Gone,
            Err(_) => match waits.next() {
                Some(wait) => tokio::time::sleep(wait).await,
                None => return FetchResult::Unknown,
            },
        }
    }
}

/// Why a list request failed.
pub(crate) enum ListError {
    Request(ThreeCxError),
    /// The list lacks our DN. That does not prove that its calls are over.
    NotListed,
}

impl ListError {
    /// Whether only a changed setting changes the answer.
    pub(crate) fn is_refusal(&self) -> bool {
        match self {
            Self::Request(error) => is_refusal(error.kind),
            Self::NotListed => true,
        }
    }

    pub(crate) fn describe(&self, settings: &Settings) -> Option<String> {
        match self {
            Self::Request(error) => trouble::describe(error, settings),
            Self::NotListed => Some(format!(
                "3CX does not list DN {}: THREECX_CLIENT_ID must be the DN of the API client's own route point",
                settings.own_dn()
            )),
        }
    }
}

pub(crate) async fn own_legs(client: &ThreeCx, settings: &Settings) -> Result<Vec<Participant>, ListError> {
    let dns = client.dns().await.map_err(ListError::Request)?;
    let own = settings.own_dn().as_str();
    let ours = dns.into_iter().find(|state| state.dn.as_str().eq_ignore_ascii_case(own));
    ours.map(|state| state.participants).ok_or(ListError::NotListed)
}
