//! The supervision tree of the process.

use std::time::Duration;

use maud::{Markup, html};
use precall_actors::api::{Health, System};
use precall_call::At;

use super::ago;
use crate::http::pages::parts;

/// One actor, or a kind of actors.
struct Node {
    depth: usize,
    name: &'static str,
    what: &'static str,
    count: Option<usize>,
    /// How long its oldest message waits, or its last one waited.
    mailbox: Option<Duration>,
    /// Part of a call whose panics these are.
    part: Option<&'static str>,
    note: String,
}

/// The actors with what is known of each.
pub(super) fn tree(health: &Health, system: &System, now: At) -> Markup {
    html! {
        section aria-labelledby="tree" {
            h2 #tree { "Supervision tree" }
            div .scroll {
                table .tree {
                    thead {
                        tr {
                            th scope="col" { "Actor" }
                            th scope="col" .number { "Running" }
                            th scope="col" .number { "Oldest message" }
                            th scope="col" .number { "Restarts" }
                            th scope="col" .number { "Panics" }
                            th scope="col" { "What it does" }
                        }
                    }
                    tbody {
                        @for node in nodes(health, system, now) { (row(&node, health, system)) }
                    }
                }
            }
            p .quiet { "A restarted actor keeps its mailbox. Restarts and panics are counted since the start." }
        }
    }
}

fn row(node: &Node, health: &Health, system: &System) -> Markup {
    let restarts = of(&health.restarts, node.name);
    let panics = node.part.map(|part| of(&system.panics, part));
    html! {
        tr {
            th scope="row" class={ "depth-" (node.depth) } { (node.name) }
            td .number { (node.count.map(|count| count.to_string()).unwrap_or_default()) }
            td .number {
                @if let Some(wait) = node.mailbox {
                    @let is_slow = wait >= parts::SLOW_MAILBOX;
                    span .warn[is_slow] { (parts::millis(wait)) @if is_slow { " slow" } }
                }
            }
            td .number { span .bad[restarts > 0] { (restarts) } }
            td .number { @if let Some(panics) = panics { span .bad[panics > 0] { (panics) } } }
            td { (node.what) @if !node.note.is_empty() { " " span .quiet { (node.note) } } }
        }
    }
}

fn of(all: &[(&'static str, u64)], name: &str) -> u64 {
    all.iter().find(|(known, _)| *known == name).map_or(0, |(_, count)| *count)
}

fn nodes(health: &Health, system: &System, now: At) -> Vec<Node> {
    let mailbox =
        |name: &str| health.mailboxes.iter().find(|(known, _)| *known == name).map(|(_, wait)| *wait);
    let node = |depth, name, what| Node {
        depth,
        name,
        what,
        count: None,
        mailbox: None,
        part: None,
        note: String::new(),
    };
    let part = |name, what, part| Node { part: Some(part), ..node(2, name, what) };
    let breaker =
        if system.breaker_is_open { "breaker open: no new clones for a while" } else { "breaker closed" };
    let feed = system.feed.as_ref().map_or_else(
        || "not needed by any route".to_owned(),
        |feed| {
            let open = if feed.is_open { "connected" } else { "not connected" };
            let synced = feed.synced.map_or_else(|| "never".to_owned(), |at| format!("{} ago", ago(at, now)));
            format!(
                "{open}, legs compared {synced}, {} reconnects, {} failed comparisons",
                feed.reconnects, feed.resyncs_failed
            )
        },
    );
    let mut all = vec![
        Node {
            mailbox: mailbox("supervisor"),
            count: Some(1),
            ..node(0, "CallSupervisor", "admits calls, passes events to them")
        },
        Node {
            count: Some(health.live_calls),
            part: Some("call"),
            ..node(1, "CallActor", "one for each live call")
        },
        part("GreetingActor", "dials a greeting", "greeting"),
        part("LegPlayer", "plays what a leg hears", "greeting"),
        part("CloneWorker", "waits for a voice", "clone_worker"),
        part("Handoff", "brings the agent in", "handoff"),
        Node {
            mailbox: mailbox("voice_book"),
            count: Some(1),
            note: breaker.to_owned(),
            ..node(0, "VoiceBook", "knows every voice and clone job;")
        },
        node(1, "CloneJob", "uploads one sample"),
        Node {
            mailbox: mailbox("persistence"),
            count: Some(1),
            ..node(0, "PersistenceActor", "writes events to the database or the spool")
        },
        Node {
            count: Some(usize::from(system.feed.is_some())),
            note: feed,
            ..node(0, "PbxFeed", "hears the events of the PBX:")
        },
        Node { count: Some(1), ..node(0, "ReportCollector", "fetches reports that no webhook brought") },
    ];
    let slowest = system.arbiters.iter().max().copied();
    let arbiters =
        format!("last heartbeats {} ago", listed(system.arbiters.iter().map(|age| parts::millis(*age))));
    all.push(Node {
        count: Some(system.arbiters.len()),
        mailbox: None,
        note: arbiters,
        ..node(0, "Arbiters", "threads of the actors:")
    });
    let shards = format!("legs {}", listed(system.shards.iter().map(ToString::to_string)));
    let shards = if system.shards.is_empty() { "none is needed".to_owned() } else { shards };
    all.push(Node {
        count: Some(system.shards.len()),
        note: shards,
        ..node(0, "Media shards", "threads of the audio:")
    });
    if slowest.is_some_and(|age| age > Duration::from_secs(10)) {
        all.push(Node {
            note: "an arbiter has made no progress for 10 s".to_owned(),
            ..node(1, "Stuck arbiter", "")
        });
    }
    all
}

fn listed(all: impl Iterator<Item = String>) -> String {
    all.collect::<Vec<_>>().join(", ")
}
