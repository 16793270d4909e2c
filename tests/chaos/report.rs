//! The figures of a run, as tables in Markdown.

use std::collections::BTreeMap;

use crate::book::{Book, Law};
use crate::run::Attack;
use crate::table::Fault;

/// Prints the figures of a run.
pub fn print(attack: &Attack) {
    let book = &attack.book;
    let (route, settings) = (attack.site.route.name(), &attack.settings);
    println!("\n### Route {route}: seed {}, {} callers on the line\n", settings.seed, settings.calls);
    println!("| what | how many |\n|---|---|");
    for (what, count) in [
        ("seconds", usize::try_from(attack.begun.elapsed().as_secs()).unwrap()),
        ("rounds", book.round),
        ("faults", book.windows().len()),
        ("starts of precall", attack.site.service.starts),
        ("callers", attack.callers.placed()),
        ("calls that did not end by their caller", attack.failed.len()),
        ("webhooks posted by the test", attack.callers.webhooks.posted()),
        ("of them acknowledged", attack.callers.webhooks.acknowledged().len()),
        ("webhooks of the PBX acknowledged", attack.witness.calls().len()),
        ("reports acknowledged", attack.witness.reports().len()),
        ("dials", attack.witness.dials().values().sum()),
    ] {
        println!("| {what} | {count} |");
    }
    println!("\n| law | checked on | broken |\n|---|---|---|");
    for law in Law::ALL {
        let broken = book.violations().iter().filter(|it| it.law == law).count();
        println!("| {} | {} | {broken} |", law.name(), book.checks().get(&law).unwrap_or(&0));
    }
    println!("\n| fault | times | laws broken while it was there or shortly after |\n|---|---|---|");
    let mut times: BTreeMap<String, usize> = BTreeMap::new();
    for window in book.windows() {
        *times.entry(window.fault.to_string()).or_default() += 1;
    }
    for fault in Fault::all() {
        let name = fault.to_string();
        let Some(times) = times.get(&name) else { continue };
        println!("| {name} | {times} | {} |", broken_by(book, &name));
    }
    println!("\n| faults of a round | longest time from their end until precall was well, ms |\n|---|---|");
    for (faults, ms) in book.recoveries() {
        println!("| {faults} | {ms} |");
    }
    println!("\n| calls that did not end by their caller | faults | how many |\n|---|---|---|");
    for ((how, faults), count) in book.failures() {
        println!("| {how} | {faults} | {count} |");
    }
    println!("\n| faults | longest silence that a caller heard, ms |\n|---|---|");
    for (faults, ms) in book.silences() {
        println!("| {faults} | {ms} |");
    }
    println!();
}

fn broken_by(book: &Book, name: &str) -> String {
    let mut laws: BTreeMap<Law, usize> = BTreeMap::new();
    for broken in book.violations().iter().filter(|it| it.faults.iter().any(|fault| fault == name)) {
        *laws.entry(broken.law).or_default() += 1;
    }
    let named = laws.iter().map(|(law, times)| format!("{} ({times})", law.name()));
    named.collect::<Vec<_>>().join(", ")
}
