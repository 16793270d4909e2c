//! The migrations under `sql/`, compiled into the binary.

mod files {
    refinery::embed_migrations!("../../sql");
}

/// All migrations, for [`super::migrate::migrate`].
#[must_use]
pub fn runner() -> super::migrate::Runner {
    files::migrations::runner()
}
