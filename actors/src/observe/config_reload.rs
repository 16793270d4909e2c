//! Whether the last reload of the configuration was taken. Health shows a refused one until a good one.

use arc_swap::ArcSwapOption;
use precall_call::At;

/// The last reload, if it was refused.
#[derive(Debug, Default)]
pub struct ConfigReload(ArcSwapOption<(At, String)>);

impl ConfigReload {
    /// The configuration was taken.
    pub fn succeeded(&self) {
        self.0.store(None);
    }

    /// The configuration was refused. The words are without values of variables.
    pub fn refused(&self, words: String, now: At) {
        let since = self.0.load().as_ref().map_or(now, |refused| refused.0);
        self.0.store(Some((since, words).into()));
    }

    /// What needs a person, and since when.
    #[must_use]
    pub fn problem(&self) -> Option<(At, String)> {
        self.0.load().as_ref().map(|refused| (refused.0, refused.1.clone()))
    }
}
