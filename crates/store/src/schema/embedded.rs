//! The migrations under `sql/`, compiled into the binary.

use super::migrate::{Migration, Runner};

mod files {
    refinery::embed_migrations!("../../sql");
}

/// All migrations in their order, for [`super::migrate::migrate`].
#[must_use]
pub fn runner() -> Runner {
    let mut migrations = files::migrations::runner().get_migrations().clone();
    // refinery embeds them in the order of their file names, in which V10 comes before V1.
    migrations.sort_by_key(Migration::version);
    Runner::new(&migrations)
}
