//! docs/CONFIGURATION.md: the same definitions as a page with a heading for each variable.

use super::super::section::Section;
use super::super::table::{find, of_section};
use super::super::variables::Variable;
use super::shared::{BRIDGE_MINIMUM, CALLBACK_MINIMUM, COMMAND, RULES};
use super::wording::{assignment, default, help, required, restart, value, wrapped};

/// The whole page.
#[must_use]
pub fn configuration_md() -> String {
    let mut out = String::from("# Configuration\n\n");
    out.push_str(&wrapped(
        &format!(
            "This page is generated from the definitions in `src/config/`. `{COMMAND}` writes it again."
        ),
        "",
        "",
    ));
    out.push_str("\n## Rules\n\n");
    for rule in RULES {
        out.push_str(&wrapped(rule, "- ", "  "));
    }
    out.push_str("\n## Minimum for route bridge\n\n");
    out.push_str("The agent speaks on the caller's own leg. Needs 3CX call control.\n\n");
    minimum(BRIDGE_MINIMUM, &mut out);
    out.push_str("\n## Minimum for route callback\n\nElevenLabs phones the caller back.\n\n");
    minimum(CALLBACK_MINIMUM, &mut out);
    out.push_str("\n## Sections\n\n");
    for section in Section::ALL {
        out.push_str(&wrapped(&format!("[{0}](#{0}): {1}", section.title(), section.about()), "- ", "  "));
    }
    for section in Section::ALL {
        out.push_str(&format!("\n## {}\n\n{}\n", section.title(), section.about()));
        for variable in of_section(*section) {
            entry(variable, &mut out);
        }
    }
    out
}

fn minimum(names: &[&str], out: &mut String) {
    for variable in names.iter().filter_map(|name| find(name)) {
        out.push_str(&format!("    {}\n", assignment(variable)));
    }
}

fn entry(variable: &Variable, out: &mut String) {
    out.push_str(&format!("\n### {}\n\n", variable.name));
    out.push_str(&wrapped(&help(variable), "", ""));
    out.push('\n');
    out.push_str(&wrapped(&format!("Value: {}", value(variable)), "- ", "  "));
    out.push_str(&wrapped(
        &format!("Default: {}", default(variable, |text| format!("`{text}`"))),
        "- ",
        "  ",
    ));
    out.push_str(&wrapped(&format!("Required: {}", required(variable)), "- ", "  "));
    out.push_str(&format!("- Restart: {}\n", restart(variable)));
    if !variable.example.is_empty() && !variable.is_secret() {
        out.push_str(&format!("- Example: `{}`\n", variable.example));
    }
}
