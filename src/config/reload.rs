//! What a reload changes. The definition of a variable says whether it needs a restart: the text of such a variable
//! stays as it was, and everything else is read and checked as at the start.

use super::problem::{ConfigError, Problem, Problems};
use super::table::variables;
use super::values::Values;
use super::variables::{Restart, Variable};
use super::{Config, ConfigSource, Sources};

/// A configuration that was read again.
#[derive(Clone, Debug)]
pub struct Reloaded {
    /// The new configuration, with the running values where a change needs a restart.
    pub config: Config,
    /// Variables that were changed and count from now on.
    pub changed: Vec<&'static str>,
    /// Variables that were changed and need a restart: they stay as they were.
    pub needs_restart: Vec<&'static str>,
    /// Variables that the file sets to another value than the process environment, which cannot change.
    pub hidden_by_environment: Vec<String>,
}

impl Config {
    /// What the source says now, for a running service. Nothing is applied yet.
    ///
    /// # Errors
    /// One error that lists every wrong variable.
    pub fn reload(&self) -> Result<Reloaded, ConfigError> {
        let sources = self.source.read()?;
        self.check_file()?;
        let new = Self::of_sources(&sources, self.source.clone())?;
        let values = self.values.reloaded(&new.values, self.environment, variables());
        let mut config = self.with_values(values, &sources)?;
        config.abandon_live_calls = self.abandon_live_calls;
        let changed = names(Restart::NotNeeded, &self.values, &config.values);
        let needs_restart = names(Restart::Needed, &self.values, &new.values);
        let is_ours = |name: &&String| super::find(name.strip_suffix("_FILE").unwrap_or(name)).is_some();
        let hidden_by_environment = sources.hidden_in_file().iter().filter(is_ours).cloned().collect();
        Ok(Reloaded { config, changed, needs_restart, hidden_by_environment })
    }

    /// A file that is gone is no file without settings: everything would fall back to its default.
    fn check_file(&self) -> Result<(), ConfigError> {
        let (ConfigSource::File(path) | ConfigSource::Environment(path)) = &self.source else {
            return Ok(());
        };
        if self.values.has_place_in_file() && !path.exists() {
            let problem = Problem {
                name: path.display().to_string(),
                place: None,
                wrong: "is gone".to_owned(),
                right: "the file that was there at the start".to_owned(),
            };
            return Err(ConfigError { problems: vec![problem], unknown: Vec::new() });
        }
        Ok(())
    }

    /// New values beside those that need a restart: together they may be wrong although each file was right.
    fn with_values(&self, values: Values, sources: &Sources) -> Result<Self, ConfigError> {
        Self::of_values(values, Problems::default(), sources, self.source.clone()).map_err(|mut error| {
            for problem in &mut error.problems {
                problem.wrong.push_str(", as long as the variables that need a restart keep their values");
            }
            error
        })
    }
}

fn names(restart: Restart, old: &Values, new: &Values) -> Vec<&'static str> {
    let is_changed = |variable: &&Variable| variable.restart == restart && !old.agree(new, variable);
    variables().filter(is_changed).map(|variable| variable.name).collect()
}
