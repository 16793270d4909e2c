//! `precall install-postgres`: installs PostgreSQL. `demo` and the tests do this too, `serve` never does.

use super::Exit;

pub(super) fn run() -> Exit {
    match precall_embedded_postgres::install() {
        Ok(binaries) => {
            println!("PostgreSQL {} in {}", binaries.version, binaries.dir.display());
            Exit::Good
        }
        Err(error) => {
            eprintln!("precall: {error}");
            Exit::Failed
        }
    }
}
