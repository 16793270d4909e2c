//! Webhooks that were refused: from whom, how many, and why. Their bodies are not kept: anybody can send them.

use maud::{Markup, html};

use crate::http::clock;
use crate::http::error::Code;
use crate::http::pages::parts;
use crate::http::refusals::{Refused, RefusedOfLate};

/// The refused webhooks of late. Who may not act does not see who sent them.
pub(super) fn shown(refused: &[RefusedOfLate], shows_clients: bool) -> Markup {
    let webhook = |refused: &'_ RefusedOfLate| match refused.what {
        Refused::Webhook(name) => Some(name),
        Refused::Api => None,
    };
    let rows: Vec<_> = refused.iter().filter_map(|it| Some((webhook(it)?, it))).collect();
    html! {
        section #refused aria-labelledby="h-refused" {
            h2 #h-refused { "Refused since precall runs" }
            @if rows.is_empty() { p .quiet { "No webhook was refused." } } @else {
                div .scroll {
                    table .stack {
                        thead { tr {
                            th scope="col" { "Latest" }
                            th scope="col" { "First" }
                            th scope="col" { "Webhook" }
                            th scope="col" { "Why" }
                            th scope="col" .number { "How many" }
                            th scope="col" { "From" }
                        } }
                        tbody { @for (webhook, refused) in rows { (line(webhook, refused, shows_clients)) } }
                    }
                }
                p .quiet {
                    "Of refused webhooks nothing else is kept: anybody can send them. A wrong signature means that the \
                     secret here is not the one of the sender."
                }
            }
        }
    }
}

fn line(webhook: &str, refused: &RefusedOfLate, shows_clients: bool) -> Markup {
    let time = |at| clock::timestamp(at).map(parts::time);
    let why = Code::ALL.iter().find(|code| code.name() == refused.outcome).map(|code| code.title());
    html! {
        tr {
            td data-label="Latest" { @if let Some(at) = time(refused.latest) { (at) } }
            td data-label="First" { @if let Some(at) = time(refused.first) { (at) } }
            td data-label="Webhook" { (webhook) }
            td data-label="Why" {
                span .light .bad { (why.unwrap_or(refused.outcome)) }
                @if let Some(clock) = &refused.clock { " (" (clock) ")" }
            }
            td .number data-label="How many" { (refused.count) }
            td .id data-label="From" {
                @match (refused.client, shows_clients) {
                    (None, _) => "many senders",
                    (Some(client), true) => (client),
                    (Some(_), false) => "one sender",
                }
            }
        }
    }
}
