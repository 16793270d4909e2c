//! What the manifests promise: a reason for every dependency, one list of them, and a process that survives a panic.

use crate::source::Source;
use crate::tree::{catches, holds, spares, tree};

/// The lines of a section, with their numbers.
fn section<'text>(text: &'text str, name: &str) -> Vec<(usize, &'text str)> {
    let header = format!("[{name}]");
    let after = text
        .lines()
        .enumerate()
        .map(|(index, line)| (index + 1, line))
        .skip_while(|(_, line)| *line != header);
    after.skip(1).take_while(|(_, line)| !line.starts_with('[')).collect()
}

/// Whether a line names a dependency that is not one of our own crates.
fn is_foreign(line: &str) -> bool {
    !line.is_empty() && !line.starts_with('#') && line.contains('=') && !line.contains("path = ")
}

#[test]
fn every_dependency_has_its_reason() {
    let rule = |source: &Source| {
        if source.path != "Cargo.toml" {
            return Vec::new();
        }
        let mut breaches = Vec::new();
        let mut group_has_reason = false;
        let mut before = "";
        for (number, line) in section(&source.text, "workspace.dependencies") {
            if before.is_empty() {
                group_has_reason = line.starts_with('#');
            }
            let has_reason = group_has_reason || before.starts_with('#') || line.contains(" # ");
            if is_foreign(line) && !has_reason {
                breaches.push(source.breach(number, line));
            }
            before = line;
        }
        breaches
    };
    let manifest = tree().iter().find(|source| source.path == "Cargo.toml").unwrap();
    assert!(section(&manifest.text, "workspace.dependencies").len() > 20);
    holds(rule);
    catches(rule, "Cargo.toml", "[workspace.dependencies]\n# A.\na = \"1\"\n\nb = \"1\"\n");
    spares(rule, "Cargo.toml", "[workspace.dependencies]\n# A.\na = \"1\"\nb = \"1\"\n\nc = \"1\" # C.\n");
}

#[test]
fn every_bench_is_in_the_ci_run() {
    let run = &tree().iter().find(|source| source.path == ".ci/run").unwrap().text;
    let list = run.split("benches=(").nth(1).and_then(|after| after.split(')').next()).unwrap();
    let rule = |source: &Source| {
        if source.path != "Cargo.toml" {
            return Vec::new();
        }
        let lines: Vec<&str> = source.text.lines().collect();
        let benches = lines.windows(2).enumerate().filter(|(_, pair)| pair[0] == "[[bench]]");
        let names = benches.map(|(index, pair)| (index + 2, pair[1].split('"').nth(1).unwrap_or_default()));
        let missing = names.filter(|(_, name)| !list.split_whitespace().any(|listed| listed == *name));
        missing
            .map(|(number, name)| source.breach(number, &format!("{name} is not run by .ci/run")))
            .collect()
    };
    holds(rule);
    catches(rule, "Cargo.toml", "[[bench]]\nname = \"forgotten\"\nharness = false\n");
    spares(rule, "Cargo.toml", "[[bench]]\nname = \"machine\"\nharness = false\n");
}

#[test]
fn every_crate_takes_its_dependencies_from_the_workspace() {
    let rule = |source: &Source| {
        if !source.path.ends_with("Cargo.toml") || source.is_under("fuzz/") {
            return Vec::new();
        }
        let sections = ["dependencies", "dev-dependencies", "build-dependencies"];
        let lines = sections.iter().flat_map(|name| section(&source.text, name));
        let own = lines.filter(|(_, line)| line.contains('=') && !line.starts_with('#'));
        let strays = own.filter(|(_, line)| !line.contains("workspace = true"));
        strays.map(|(number, line)| source.breach(number, line)).collect()
    };
    holds(rule);
    catches(rule, "actors/Cargo.toml", "[dependencies]\nserde = \"1\"\n");
    spares(
        rule,
        "actors/Cargo.toml",
        "[dependencies]\nserde.workspace = true\n\n[lints]\nworkspace = true\n",
    );
}

#[test]
fn every_crate_keeps_the_workspace_lints_and_is_never_published() {
    let rule = |source: &Source| {
        if !source.path.ends_with("Cargo.toml") || source.is_under("fuzz/") {
            return Vec::new();
        }
        let mut breaches = Vec::new();
        if !source.text.contains("[lints]\nworkspace = true") {
            breaches.push(source.breach(1, "does not take the workspace's lints"));
        }
        if !source.text.contains("publish.workspace = true") {
            breaches.push(source.breach(1, "could be published"));
        }
        breaches
    };
    let manifest = tree().iter().find(|source| source.path == "Cargo.toml").unwrap();
    let package = section(&manifest.text, "workspace.package");
    assert!(package.iter().any(|(_, line)| *line == "publish = false"));
    holds(rule);
    catches(rule, "actors/Cargo.toml", "[package]\npublish.workspace = true\n");
    catches(rule, "actors/Cargo.toml", "[lints]\nworkspace = true\n");
}

#[test]
fn a_panic_unwinds_in_every_profile() {
    let rule = |source: &Source| {
        let lines = source.text.lines().enumerate().filter(|_| source.path.ends_with("Cargo.toml"));
        let aborting = lines.filter(|(_, line)| line.starts_with("panic") && !line.contains("\"unwind\""));
        aborting.map(|(index, line)| source.breach(index + 1, line)).collect()
    };
    let manifest = tree().iter().find(|source| source.path == "Cargo.toml").unwrap();
    let release = section(&manifest.text, "profile.release");
    assert!(release.iter().any(|(_, line)| line.starts_with("panic = \"unwind\"")), "said in so many words");
    holds(rule);
    catches(rule, "Cargo.toml", "[profile.release]\npanic = \"abort\"\n");
}

#[test]
fn the_container_is_built_with_the_toolchain_of_the_checkout() {
    let text = |path: &str| tree().iter().find(|source| source.path == path).unwrap().text.as_str();
    let agree = |dockerfile: &str, toolchain: &str| {
        let channel = toolchain.lines().find_map(|line| line.strip_prefix("channel = \"")).unwrap();
        let image = dockerfile.lines().find_map(|line| line.strip_prefix("ARG RUST_IMAGE=rust:")).unwrap();
        let wanted = image.split('-').next().unwrap();
        channel.trim_end_matches('"').starts_with(&format!("{wanted}."))
    };
    assert!(agree(text("Dockerfile"), text("rust-toolchain.toml")));
    assert!(!agree("ARG RUST_IMAGE=rust:1.9-bookworm", "channel = \"1.95.0\""));
    assert!(!agree("ARG RUST_IMAGE=rust:1.94-bookworm", "channel = \"1.95.0\""));
}
