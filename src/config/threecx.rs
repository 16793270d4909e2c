//! 3CX call control, for the routes that speak on the caller's own leg.

use std::path::PathBuf;

use precall_actors::lifecycle::settings::SecondStream;

use super::base_url::BaseUrl;
use super::certificate_file::CertificateFile;
use super::problem::Problems;
use super::secret::Secret;
use super::section::Section;
use super::setting::variables;
use super::value::numbers::Whole;
use super::value::{Word, words};
use super::values::Values;
use super::variables::DefaultValue::Text;
use super::variables::{Probed, Required, Restart, Routes};

const CALL_CONTROL: Required =
    Required::When("when one of the three THREECX_BASE_URL, _CLIENT_ID, _CLIENT_SECRET is set");

variables! { Section::Threecx;
    threecx_base_url: BaseUrl {
        probed: Probed::By("3CX"),
        required: CALL_CONTROL,
        example: "https://pbx.example.com:5001",
        help: "Web address of the PBX for call control, with its port.",
        note: "The routes bridge and transfer need call control. Without CALL_ROUTE, these three variables select \
            route bridge.",
    }
    threecx_client_id: Word {
        probed: Probed::By("3CX"),
        required: CALL_CONTROL,
        example: "900",
        help: "DN of the route point that is the API client. It need not be a number.",
    }
    threecx_client_secret: Secret {
        restart: Restart::NotNeeded,
        probed: Probed::By("3CX"),
        required: CALL_CONTROL,
        example: "CHANGE_ME",
        help: "API key of that client.",
    }
    threecx_ca_file: CertificateFile {
        probed: Probed::By("3CX"),
        example: "/etc/precall/pbx-ca.pem",
        help: "Certificates of the authority that signed the certificate of the PBX, when the host does not trust it.",
        note: "precall trusts them beside the authorities of the host.",
    }
    threecx_second_stream: SecondStream {
        routes: Routes::LiveLeg,
        default: Text("replaces"),
        help: "What the PBX does when another precall sends audio into a live leg (replaces, refused).",
        note: "`precall check --live-call` measures it. replaces: a planned stop hands live calls over to a standby. \
            refused: it waits for the end of the calls (DRAIN_TIMEOUT_SECONDS).",
    }
    threecx_simultaneous_calls: Whole<u64, 1, 100_000> {
        restart: Restart::NotNeeded,
        unit: "calls",
        example: "16",
        help: "How many simultaneous calls the 3CX licence allows.",
        note: "Call control does not report it. precall shows and compares it, and refuses no call because of it.",
    }
}

words!(SecondStream,
    "replaces" => SecondStream::Replaces,
    "refused" => SecondStream::Refused,
);

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
    /// What it does with a second stream into a leg.
    pub second_stream: SecondStream,
}

/// The phone system.
#[derive(Clone, Debug)]
pub struct ThreeCx {
    /// Access to call control, when all three variables are set.
    pub call_control: Option<CallControl>,
    /// Simultaneous calls of the licence, when configured; call control does not report it.
    pub simultaneous_calls: Option<u64>,
}

impl ThreeCx {
    /// The DN of precall's own route point. A call that is routed there comes back to precall.
    #[must_use]
    pub(super) fn own_dn(&self) -> Option<&str> {
        self.call_control.as_ref().map(|control| control.client_id.as_str())
    }

    pub(super) fn read(values: &Values, problems: &mut Problems) -> Option<Self> {
        const RIGHT: &str = "all of THREECX_BASE_URL, THREECX_CLIENT_ID and THREECX_CLIENT_SECRET, or none";
        let settings = Settings::read(values, problems)?;
        let ca_file = settings.threecx_ca_file.optional().flatten().map(|CertificateFile(path)| path);
        let second_stream = settings.threecx_second_stream.value()?;
        let simultaneous_calls =
            settings.threecx_simultaneous_calls.optional().flatten().map(|Whole(calls)| calls);
        let (url, id, secret) =
            (settings.threecx_base_url, settings.threecx_client_id, settings.threecx_client_secret);
        if url.is_unset() && id.is_unset() && secret.is_unset() {
            return Some(Self { call_control: None, simultaneous_calls });
        }
        let base = url.required(RIGHT, problems);
        let client_id = id.required(RIGHT, problems);
        let client_secret = secret.required(RIGHT, problems);
        Some(Self {
            call_control: Some(CallControl {
                base: base?,
                client_id: client_id?.0,
                client_secret: client_secret?,
                ca_file,
                second_stream,
            }),
            simultaneous_calls,
        })
    }
}
