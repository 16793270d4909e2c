//! The phone system's call control, for routes that speak on the caller's own leg.

use std::path::PathBuf;

use precall_providers::tls_roots::certificates_in;
use serde::Deserialize;

use super::base_url::BaseUrl;
use super::problem::Problems;
use super::secret::Secret;
use super::value::{Read, Word};
use super::values::Values;
use super::variables::Section;

/// Access to 3CX call control.
#[derive(Clone, Debug)]
pub struct CallControl {
    /// The PBX's web address, port included where it has one.
    pub base: BaseUrl,
    /// The DN of the route point that is the API client; not always a number.
    pub client_id: String,
    /// Its API key.
    pub client_secret: Secret,
    /// Certificates (PEM) of authorities to trust beside the host's own; the file was readable at start.
    pub ca_file: Option<PathBuf>,
}

/// The phone system.
#[derive(Clone, Debug)]
pub struct ThreeCx {
    /// Access to call control, when all three variables are set.
    pub call_control: Option<CallControl>,
    /// How many calls its licence carries at once, where somebody said so: call control does not tell.
    pub simultaneous_calls: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    threecx_base_url: Option<Read<BaseUrl>>,
    threecx_client_id: Option<Read<Word>>,
    threecx_client_secret: Option<Read<Secret>>,
    threecx_ca_file: Option<Read<PathBuf>>,
    threecx_simultaneous_calls: Option<Read<u64>>,
}

impl ThreeCx {
    pub(super) fn read(values: &Values, problems: &mut Problems) -> Option<Self> {
        const RIGHT: &str = "all of THREECX_BASE_URL, THREECX_CLIENT_ID and THREECX_CLIENT_SECRET, or none";
        const CA_FILE: &str = "a readable PEM file with the certificate of the authority that signed the PBX's, as the PBX's \
            administrator exports it; or unset, when the host trusts that authority";
        let raw: Raw = values.section(Section::Threecx, problems)?;
        let ca_file = problems.optional("THREECX_CA_FILE", raw.threecx_ca_file).flatten();
        if let Some(Err(error)) = ca_file.as_deref().map(certificates_in) {
            problems.add("THREECX_CA_FILE", error.to_string(), CA_FILE);
        }
        let simultaneous_calls = raw
            .threecx_simultaneous_calls
            .and_then(|calls| problems.number("THREECX_SIMULTANEOUS_CALLS", calls, 1..=100_000, "calls"));
        let nothing_set = raw.threecx_base_url.is_none()
            && raw.threecx_client_id.is_none()
            && raw.threecx_client_secret.is_none();
        if nothing_set {
            return Some(Self { call_control: None, simultaneous_calls });
        }
        let base = problems.required("THREECX_BASE_URL", raw.threecx_base_url, RIGHT);
        let client_id = problems.required("THREECX_CLIENT_ID", raw.threecx_client_id, RIGHT);
        let client_secret = problems.required("THREECX_CLIENT_SECRET", raw.threecx_client_secret, RIGHT);
        Some(Self {
            call_control: Some(CallControl {
                base: base?,
                client_id: client_id?.0,
                client_secret: client_secret?,
                ca_file,
            }),
            simultaneous_calls,
        })
    }
}
