//! When each webhook secret last proved a webhook, since the start: whoever exchanges a secret sees when the sender has
//! changed over, and when the previous one can go.

use std::sync::atomic::{AtomicI64, Ordering};

use jiff::Timestamp;
use precall_call::At;
use serde::Serialize;
use utoipa::ToSchema;

use super::clock::{timestamp, wall};
use super::settings::Settings;
use crate::config::WebhookAuth;

/// A webhook that is proved by a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Webhook {
    /// `/webhook/3cx`.
    ThreeCx,
    /// `/webhook/elevenlabs/postcall`.
    Report,
    /// `/webhook/elevenlabs/initiation`.
    Initiation,
}

/// Which of the two secrets of a webhook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Which {
    /// The secret.
    Current,
    /// The one before, which is still taken.
    Previous,
}

impl Which {
    /// Of two secrets, the current one first, that at this place.
    pub(crate) fn at(place: usize) -> Self {
        if place == 0 { Self::Current } else { Self::Previous }
    }
}

/// The times. Microseconds; 0 for never.
#[derive(Debug, Default)]
pub(crate) struct SecretUses([AtomicI64; 6]);

/// A secret, and when it was last used.
#[derive(Serialize, ToSchema)]
pub(crate) struct SecretUse {
    /// `3cx`, `postcall` or `initiation`.
    webhook: &'static str,
    /// `current` or `previous`.
    secret: &'static str,
    /// When it last proved a webhook since the start; null: never.
    last_used_at: Option<Timestamp>,
}

const ALL: [(Webhook, Which, &str, &str); 6] = [
    (Webhook::ThreeCx, Which::Current, "3cx", "current"),
    (Webhook::ThreeCx, Which::Previous, "3cx", "previous"),
    (Webhook::Report, Which::Current, "postcall", "current"),
    (Webhook::Report, Which::Previous, "postcall", "previous"),
    (Webhook::Initiation, Which::Current, "initiation", "current"),
    (Webhook::Initiation, Which::Previous, "initiation", "previous"),
];

impl SecretUses {
    /// The secret has proved a webhook.
    pub(crate) fn used(&self, webhook: Webhook, which: Which) {
        let place = ALL.iter().position(|(of, place, ..)| (*of, *place) == (webhook, which));
        if let Some(time) = place.and_then(|place| self.0.get(place)) {
            time.store(wall().0, Ordering::Relaxed);
        }
    }

    /// The secrets that are set.
    pub(crate) fn shown(&self, settings: &Settings) -> Vec<SecretUse> {
        let is_set = |webhook: Webhook, which: Which| {
            let (has_current, has_previous) = match webhook {
                Webhook::ThreeCx => set(&settings.threecx.auth, settings.threecx.previous.is_some()),
                Webhook::Report => set(&settings.elevenlabs.auth, settings.elevenlabs.previous.is_some()),
                Webhook::Initiation => {
                    (settings.initiation_secret.is_some(), settings.initiation_secret_previous.is_some())
                }
            };
            if which == Which::Current { has_current } else { has_previous }
        };
        let shown = ALL.iter().zip(&self.0).filter(|((webhook, which, ..), _)| is_set(*webhook, *which));
        shown
            .map(|((_, _, webhook, secret), time)| {
                let at = Some(time.load(Ordering::Relaxed)).filter(|at| *at > 0);
                SecretUse { webhook, secret, last_used_at: at.and_then(|at| timestamp(At(at))) }
            })
            .collect()
    }
}

fn set(auth: &WebhookAuth, has_previous: bool) -> (bool, bool) {
    (matches!(auth, WebhookAuth::Signed(_)), has_previous)
}
