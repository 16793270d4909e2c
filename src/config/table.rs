//! The table of all variables, gathered from the sections.

use super::section::Section;
use super::variables::Variable;
use super::{
    agent, alerts, api_keys, budget, call, callback, canary, clone, database, elevenlabs, general, greeting,
    log, retention, server, threecx, traces, webhook,
};

/// The variables of one section, in the order of the documents.
pub(super) fn of_section(section: Section) -> &'static [Variable] {
    match section {
        Section::General => general::VARIABLES,
        Section::Server => server::VARIABLES,
        Section::Database => database::VARIABLES,
        Section::Elevenlabs => elevenlabs::VARIABLES,
        Section::Webhook => webhook::VARIABLES,
        Section::Threecx => threecx::VARIABLES,
        Section::Call => call::VARIABLES,
        Section::Agent => agent::VARIABLES,
        Section::Greeting => greeting::VARIABLES,
        Section::Clone => clone::VARIABLES,
        Section::Callback => callback::VARIABLES,
        Section::Budget => budget::VARIABLES,
        Section::Canary => canary::VARIABLES,
        Section::Api => api_keys::VARIABLES,
        Section::Log => log::VARIABLES,
        Section::Traces => traces::VARIABLES,
        Section::Retention => retention::VARIABLES,
        Section::Alerts => alerts::VARIABLES,
    }
}

/// Every variable, in the order of the documents.
pub fn variables() -> impl Iterator<Item = &'static Variable> {
    Section::ALL.iter().flat_map(|section| of_section(*section))
}

/// The variable with that name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Variable> {
    variables().find(|variable| variable.name == name)
}

#[cfg(test)]
mod tests;
