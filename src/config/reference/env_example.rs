//! `.env.example`: the minimum for each of two routes, then every variable, all commented out.

use super::super::section::Section;
use super::super::table::{find, of_section};
use super::super::variables::Variable;
use super::shared::{BRIDGE_MINIMUM, CALLBACK_MINIMUM, COMMAND, RULES};
use super::wording::{assignment, default, help, required, restart, value, wrapped};

/// The whole file.
#[must_use]
pub fn env_example() -> String {
    let mut out = String::new();
    for sentence in [
        "Configuration of precall. Copy this file to .env, or set the same names in the environment.",
        "To start: take the `# ` off the lines of one of the next two blocks, and replace each example.",
    ] {
        out.push_str(&wrapped(sentence, "# ", "# "));
    }
    out.push_str(&wrapped(&format!("This file is generated. `{COMMAND}` writes it again."), "# ", "# "));
    heading(
        "Minimum for route bridge: the agent speaks on the caller's own leg. Needs 3CX call control.",
        &mut out,
    );
    minimum(BRIDGE_MINIMUM, &mut out);
    heading("Minimum for route callback: ElevenLabs phones the caller back.", &mut out);
    minimum(CALLBACK_MINIMUM, &mut out);
    heading("All variables. A line shows the default, or an example where there is no default.", &mut out);
    for rule in RULES {
        out.push_str(&wrapped(rule, "# - ", "#   "));
    }
    for section in Section::ALL {
        out.push_str(&format!("\n\n# [{}]\n", section.title()));
        out.push_str(&wrapped(section.about(), "# ", "# "));
        for variable in of_section(*section) {
            out.push('\n');
            entry(variable, &mut out);
        }
    }
    out
}

fn heading(text: &str, out: &mut String) {
    out.push_str(&format!("\n\n# === {text} ===\n\n"));
}

fn minimum(names: &[&str], out: &mut String) {
    for variable in names.iter().filter_map(|name| find(name)) {
        out.push_str(&format!("# {}\n", assignment(variable)));
    }
}

fn entry(variable: &Variable, out: &mut String) {
    out.push_str(&wrapped(&help(variable), "# ", "# "));
    let facts = format!(
        "Value: {}. Default: {}. Required: {}. Restart: {}.",
        value(variable),
        default(variable, quoted_when_long),
        required(variable),
        restart(variable)
    );
    out.push_str(&wrapped(&facts, "# ", "# "));
    out.push_str(&format!("# {}\n", assignment(variable)));
}

fn quoted_when_long(text: &str) -> String {
    if text.contains(' ') { format!("\"{text}\"") } else { text.to_owned() }
}
