//! `precall install-postgres`: what `demo` and the tests do by themselves, and `serve` never does.

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
