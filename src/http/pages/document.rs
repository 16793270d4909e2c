//! The head of every page, and a page for nobody in particular.

use maud::{DOCTYPE, Markup, html};

use super::assets;

/// A page for nobody in particular: sign-in, or a problem.
pub(super) fn bare(title: &str, body: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            (head(title, None, &["sign_in/sign_in.css"]))
            body .bare {
                main #main {
                    p .brand { "precall" }
                    h1 { (title) }
                    (body)
                }
            }
        }
    }
}

/// The head of a page, with its style sheets and scripts. `csrf` is the token of the session.
pub(super) fn head(title: &str, csrf: Option<&str>, files: &[&str]) -> Markup {
    let of = |end: &'static str| files.iter().filter(move |file| file.ends_with(end));
    html! {
        head {
            meta charset="utf-8";
            meta name="viewport" content="width=device-width, initial-scale=1";
            meta name="robots" content="noindex";
            meta name="color-scheme" content="light dark";
            @if let Some(csrf) = csrf { meta name="csrf" content=(csrf); }
            title { (title) " - precall" }
            link rel="icon" href="data:,";
            link rel="stylesheet" href=(assets::path("shell/shell.css"));
            @for file in of(".css") { link rel="stylesheet" href=(assets::path(file)); }
            @if csrf.is_some() { script type="module" src=(assets::path("shell/shell.js")) {} }
            @for file in of(".js") { script type="module" src=(assets::path(file)) {} }
        }
    }
}
