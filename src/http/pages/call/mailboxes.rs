//! The actors of a live call that run now, and how long messages wait for them.

use maud::{Markup, html};
use precall_actors::api::ActorMailbox;
use precall_call::CallId;

use crate::http::app_state::AppState;
use crate::http::pages::parts;

/// What the engine says of the actors of a live call; `None` if the call is over or does not answer.
pub(super) async fn asked(app: &AppState, call: CallId) -> Option<Vec<ActorMailbox>> {
    app.engine.mailboxes(call).await.ok()
}

/// The actors that run now, with the wait of a message in the mailbox of each.
pub(super) fn shown(mailboxes: &[ActorMailbox]) -> Markup {
    html! {
        p .quiet title="actix does not tell how many messages wait, only how long one does." {
            "Running now, with the wait of a message in the mailbox: "
            @for (index, mailbox) in mailboxes.iter().enumerate() {
                @if index > 0 { ", " }
                (mailbox.actor) " "
                @match mailbox.waits {
                    Some(waits) => {
                        span class=[(waits >= parts::SLOW_MAILBOX).then_some("warn")] { (parts::millis(waits)) }
                    },
                    None => span .bad { "\u{2716} no answer in 0.5 s" },
                }
            }
            "."
        }
    }
}
