//! Every command has a page, and each shell knows it.
#![allow(clippy::unwrap_used, reason = "a test may stop at what it did not expect")]

use super::*;

#[test]
fn every_command_has_a_page_and_each_shell_knows_it() {
    let folder = tempfile::tempdir().unwrap();
    write(super::super::Arguments::command(), folder.path()).unwrap();
    let text = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap_or_default();
    let mut commands = 0;
    for command in super::super::Arguments::command().get_subcommands().filter(|it| !it.is_hide_set()) {
        let name = command.get_name();
        assert!(text(&format!("precall-{name}.1")).contains(".SH SYNOPSIS"), "{name}");
        for shell in ["precall.bash", "_precall", "precall.fish"] {
            assert!(text(shell).contains(name), "{shell}: {name}");
        }
        commands += 1;
    }
    assert!(commands > 20, "{commands} commands");
    assert!(text("precall.1").contains("Exit codes"), "the first page has more");
}
