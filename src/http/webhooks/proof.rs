//! The signature of a body that is being read.

use actix_web::web;

use crate::http::app_state::AppState;
use crate::http::error::Problem;
use crate::http::secret_uses::{Webhook, Which};
use crate::signature::Verifier;

/// Checks the signature of a body piece by piece, and notes which secret proved it.
pub(crate) struct Proof {
    verifier: Verifier,
    webhook: Webhook,
    app: web::Data<AppState>,
}

impl Proof {
    /// A verification that has begun.
    pub(super) fn new(verifier: Verifier, webhook: Webhook, app: web::Data<AppState>) -> Self {
        Self { verifier, webhook, app }
    }

    /// Adds the next raw bytes of the body.
    pub(super) fn update(&mut self, piece: &[u8]) {
        self.verifier.update(piece);
    }

    /// Checks the signature of the whole body.
    ///
    /// # Errors
    /// `signature_wrong`.
    pub(super) fn finish(self) -> Result<(), Problem> {
        let place = self.verifier.finish()?;
        self.app.secret_uses.used(self.webhook, Which::at(place));
        Ok(())
    }
}
