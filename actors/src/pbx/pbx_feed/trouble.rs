//! Problems with the PBX connection: each is logged once, however often the request is repeated.

use std::sync::Arc;

use precall_call::At;
use precall_providers::threecx::error::{ThreeCxError, ThreeCxErrorKind};
use precall_providers::threecx::settings::Settings;
use slog::{Logger, info, warn};

use crate::pbx::pbx_health::PbxState;

/// Logs a problem when it begins or changes, and when it ends.
pub(crate) struct Trouble {
    state: Arc<PbxState>,
    reported: Option<String>,
    log: Logger,
}

impl Trouble {
    pub(crate) fn new(state: Arc<PbxState>, log: Logger) -> Self {
        Self { state, reported: None, log }
    }

    pub(crate) fn report(&mut self, at: At, words: &str) {
        self.state.set_error(at, words.to_owned());
        if self.reported.as_deref() == Some(words) {
            return;
        }
        warn!(self.log, "problem with 3CX"; "error" => words);
        self.reported = Some(words.to_owned());
    }

    pub(crate) fn resolved(&mut self, words: &'static str) {
        if self.reported.take().is_some() {
            info!(self.log, "{}", words);
        }
    }
}

/// The text for the administrator, who must act on 403 and 404. None without a token: the token keeper reports why.
pub(crate) fn describe(error: &ThreeCxError, settings: &Settings) -> Option<String> {
    let words = match error.kind {
        ThreeCxErrorKind::NoToken => return None,
        ThreeCxErrorKind::Forbidden => format!(
            "3CX answers 403: the API client {} may not use call control. Tick \"3CX Call Control API Access\" for it \
             (Integrations > API in the admin console), and check that the licence is Enterprise (AI Edition) with at \
             least 8 simultaneous calls",
            settings.own_dn()
        ),
        ThreeCxErrorKind::NotFound => "3CX answers 404: THREECX_BASE_URL does not lead to a 3CX v20 PBX with call \
             control; it is the web client's address, like https://pbx.example.com or https://pbx.example.com:5001"
            .to_owned(),
        ThreeCxErrorKind::Unauthorised
        | ThreeCxErrorKind::NotApplicable
        | ThreeCxErrorKind::NotReady
        | ThreeCxErrorKind::RateLimited
        | ThreeCxErrorKind::Invalid
        | ThreeCxErrorKind::Server
        | ThreeCxErrorKind::Redirected
        | ThreeCxErrorKind::Unreachable
        | ThreeCxErrorKind::Lost
        | ThreeCxErrorKind::Timeout
        | ThreeCxErrorKind::Garbled => format!("no valid answer from 3CX: {error}"),
    };
    Some(words)
}
