//! Which installation this is, and whether it is meant for real callers.

use serde::Deserialize;

use super::environment_name::Environment;
use super::problem::Problems;
use super::value::{Read, Word};
use super::values::Values;
use super::variables::Section;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    environment: Read<Environment>,
    installation: Read<Word>,
}

/// Read first: other sections follow the environment.
#[derive(Clone, Debug)]
pub(super) struct General {
    pub(super) environment: Environment,
    pub(super) installation: String,
}

impl General {
    pub(super) fn read(values: &Values, problems: &mut Problems) -> Option<Self> {
        let raw: Raw = values.section(Section::General, problems)?;
        let environment = problems.value("ENVIRONMENT", raw.environment);
        let installation = problems.value("INSTALLATION", raw.installation).and_then(|Word(name)| {
            const MAX: usize = 20;
            let fits = name.len() <= MAX
                && name
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
            if !fits {
                problems.add("INSTALLATION", "does not fit into a voice's name", "1 to 20 of a-z, 0-9 and -");
            }
            fits.then_some(name)
        });
        Some(Self { environment: environment?, installation: installation? })
    }
}
