//! The migrations under `sql/`, compiled in.

mod embedded {
    refinery::embed_migrations!("../../sql");
}

/// All of them, ready to be applied by [`super::migrate::migrate`].
#[must_use]
pub fn runner() -> super::migrate::Runner {
    embedded::migrations::runner()
}
