//! Which installation this is, and whether it serves real callers.

use super::environment_name::Environment;
use super::kind::Kind;
use super::problem::Problems;
use super::section::Section;
use super::setting::variables;
use super::value::{Complaint, FromText};
use super::values::Values;
use super::variables::DefaultValue::Text;
use super::variables::Probed;

variables! { Section::General;
    environment: Environment {
        default: Text("production"),
        help: "What the installation is for.",
        note: "development turns the embedded database on, accepts unsigned webhooks where their secret is not set, \
            and listens on loopback addresses only.",
    }
    installation: InstallationName {
        probed: Probed::Cannot("another installation of the same name shows in no list"),
        default: Text("default"),
        help: "Short name of this installation.",
        note: "precall names cloned voices at ElevenLabs precall-INSTALLATION-JOB, and deletes only voices with its \
            own name. Two installations on one ElevenLabs account need two names.",
    }
}

/// Read first, because other sections depend on the environment.
#[derive(Clone, Debug)]
pub(super) struct General {
    pub(super) environment: Environment,
    pub(super) installation: String,
}

impl General {
    pub(super) fn read(values: &Values, problems: &mut Problems) -> Option<Self> {
        let settings = Settings::read(values, problems)?;
        let environment = settings.environment.value();
        let installation = settings.installation.value().map(|InstallationName(name)| name);
        Some(Self { environment: environment?, installation: installation? })
    }
}

/// Short enough to be part of a voice's name at ElevenLabs.
struct InstallationName(String);

impl FromText for InstallationName {
    const KIND: Kind = Kind::Form("1 to 20 of a-z, 0-9 and -");

    fn from_text(text: &str) -> Result<Self, Complaint> {
        const MAX: usize = 20;
        let fits = text.len() <= MAX
            && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
        if !fits {
            return Err(Complaint::new("does not fit into a voice's name", "1 to 20 of a-z, 0-9 and -"));
        }
        Ok(Self(text.to_owned()))
    }
}
