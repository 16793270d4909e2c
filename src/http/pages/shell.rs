//! What is around every page: the head, the navigation, the signed-in key, and what needs a person.

use actix_web::HttpResponse;
use maud::{DOCTYPE, Markup, html};

use super::answer;
use super::document::head;
use super::viewer::Viewer;
use crate::config::Scope;

/// An entry of the navigation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Section {
    /// `/`: the live calls.
    Live,
    /// `/calls`: the history.
    Calls,
    /// `/callers`: who has a voice.
    Callers,
    /// `/lines`: what called numbers give their calls.
    Lines,
    /// `/webhooks`: what 3CX and ElevenLabs sent.
    Webhooks,
    /// `/system`: the inside of the process.
    System,
    /// `/audit`: who changed what.
    Audit,
}

impl Section {
    /// In the order of the navigation.
    const ALL: &'static [Self] =
        &[Self::Live, Self::Calls, Self::Callers, Self::Lines, Self::Webhooks, Self::System, Self::Audit];

    fn name(self) -> &'static str {
        match self {
            Self::Live => "Live",
            Self::Calls => "Calls",
            Self::Callers => "Callers",
            Self::Lines => "Lines",
            Self::Webhooks => "Webhooks",
            Self::System => "System",
            Self::Audit => "Audit",
        }
    }

    /// The scope without which the page is not shown.
    fn needs(self) -> Scope {
        if self == Self::Audit { Scope::Admin } else { Scope::Read }
    }

    fn path(self) -> &'static str {
        match self {
            Self::Live => "/",
            Self::Calls => "/calls",
            Self::Callers => "/callers",
            Self::Lines => "/lines",
            Self::Webhooks => "/webhooks",
            Self::System => "/system",
            Self::Audit => "/audit",
        }
    }
}

/// A page to be made.
pub(super) struct Page<'a> {
    /// The title, in the window and as heading for screen readers.
    pub(super) title: &'a str,
    /// The entry of the navigation that it belongs to.
    pub(super) section: Section,
    /// Its own style sheets and scripts, such as `live/live.js`.
    pub(super) files: &'a [&'a str],
}

/// A whole page for somebody who has signed in.
pub(super) fn page(viewer: &Viewer, page: &Page<'_>, body: &Markup) -> HttpResponse {
    let whole = html! {
        (DOCTYPE)
        html lang="en" {
            (head(page.title, Some(&viewer.session.csrf), page.files))
            body {
                a .skip href="#main" { "Skip to the content" }
                (bar(viewer, page.section))
                p #stale role="status" hidden {}
                main #main tabindex="-1" {
                    h1 .unseen { (page.title) }
                    (body)
                }
                (keys_help())
                p #announce .unseen aria-live="polite" {}
            }
        }
    };
    answer("text/html; charset=utf-8").body(whole.into_string())
}

fn bar(viewer: &Viewer, current: Section) -> Markup {
    html! {
        header .bar {
            a .brand href="/" { "precall" }
            nav aria-label="Pages" {
                @for section in Section::ALL.iter().filter(|it| viewer.may(it.needs())) {
                    a href=(section.path()) aria-current=[(*section == current).then_some("page")] {
                        (section.name())
                    }
                }
            }
            form .search action="/search" role="search" {
                label .unseen for="search" { "Find a call by number, 3CX id, conversation or precall's id" }
                input #search name="q" type="search" placeholder="/ search" autocomplete="off" maxlength="256";
            }
            details .me {
                summary { (viewer.principal.name) " (" (viewer.principal.scopes.names().join(", ")) ")" }
                div .menu {
                    @if viewer.may(Scope::Pii) {
                        form method="post" action="/session/personal" {
                            (csrf_field(viewer))
                            input type="hidden" name="next" value=(viewer.here);
                            @if viewer.session.shows_personal {
                                button name="show" value="false" { "Mask numbers and words" }
                            } @else {
                                button name="show" value="true" { "Show numbers and words" }
                                p { "Each look is in the audit log." }
                            }
                        }
                    }
                    button #theme type="button" hidden { "Switch light and dark" }
                    form method="post" action="/sign-out" {
                        (csrf_field(viewer))
                        button { "Sign out" }
                    }
                }
            }
        }
    }
}

/// The hidden field that every form of a page needs.
pub(super) fn csrf_field(viewer: &Viewer) -> Markup {
    html! { input type="hidden" name="csrf" value=(viewer.session.csrf); }
}

/// What `?` shows. A page's own keys are added by its script.
fn keys_help() -> Markup {
    html! {
        dialog #keys aria-labelledby="keys-title" {
            h2 #keys-title { "Keys" }
            dl {
                dt { kbd { "/" } } dd { "search" }
                dt { kbd { "j" } " " kbd { "k" } } dd { "next row, previous row" }
                dt { kbd { "Enter" } } dd { "open the row" }
                dt { kbd { "Esc" } } dd { "close, or leave the search" }
                dt { kbd { "?" } } dd { "this list" }
            }
            form method="dialog" { button { "Close" } }
        }
    }
}
