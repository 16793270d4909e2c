//! Live supervision: listen to the call, and tell its agent something. Scope `listen`, and only with
//! `SUPERVISION=true`. The script `listen.js` plays the sound.

use maud::{Markup, html};
use precall_actors::api::SupervisionView;
use precall_call::CallId;

use super::record::Record;
use crate::config::Scope;
use crate::http::api::supervision::code;
use crate::http::app_state::{AppState, in_time};
use crate::http::pages::viewer::Viewer;
use crate::http::pages::{assets, parts};

/// What the engine says of the call; `None` if nobody can listen to it.
pub(super) async fn view(app: &AppState, viewer: &Viewer, record: &Record) -> Option<SupervisionView> {
    let may_be = record.is_live() && app.settings().supervision && viewer.may(Scope::Listen);
    if !may_be {
        return None;
    }
    let asked = async { Ok(app.engine.supervision(CallId(record.id().as_u128())).await.ok()) };
    in_time(asked).await.ok().flatten()
}

/// The state in words: the part of the page that is read again.
pub(super) fn state(view: &SupervisionView) -> Markup {
    let people = match view.listeners {
        0 => "Nobody listens.".to_owned(),
        1 => "One person listens.".to_owned(),
        count => format!("{count} persons listen."),
    };
    html! {
        p {
            @if view.listeners > 0 { b .listened { "\u{25C9} " (people) } } @else { (people) }
            @if let Err(why) = view.listen { " Listening is not possible now: " (code(why).title()) "." }
            @else if let Err(why) = view.tell {
                " The agent cannot be told anything now: " (code(why).title()) "."
            }
        }
    }
}

/// The controls. They stay while the page is read again.
pub(super) fn controls(viewer: &Viewer, record: &Record) -> Markup {
    let path = |action: &str| format!("/api/v1/calls/{}/{action}", record.id());
    let text = |id: &str, label: &str| {
        html! {
            label .unseen for=(id) { (label) }
            input id=(id) name="text" maxlength="1000" required placeholder=(label) autocomplete="off";
        }
    };
    html! {
        div #listening data-path=(path("listen")) data-ear=(assets::path("call/ear.js")) {
            button #listen type="button" hidden { "Listen" }
            button #listen-end type="button" hidden { "Stop listening" }
            " " span #listen-state role="status" { "Listening needs JavaScript." }
        }
        @if viewer.may(Scope::Operate) {
            div .telling {
                (parts::action("POST", &path("tell"), "Tell the agent", "",
                    &text("tell", "What the agent should know")))
                (parts::action("POST", &path("say"), "Have the agent say it",
                    "Ask the agent to say this to the caller? It may word it in its own way.",
                    &text("say", "What the agent should say")))
            }
        }
    }
}
