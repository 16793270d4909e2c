//! Scripts and style sheets of the pages. Their paths carry a hash of all of them, so that browsers keep them for ever:
//! another version of precall has other paths. They import each other by relative paths.

use std::sync::LazyLock;

use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpResponse, web};
use sha2::{Digest as _, Sha256};

use super::answer;
use crate::http::error::{Code, Problem};

/// The files under `src/http/pages`, each with its path below that folder.
macro_rules! files {
    ($($path:literal),+ $(,)?) => { &[$(($path, include_str!(concat!("./", $path)))),+] };
}

/// Every script and style sheet. A test compares the list with the folder.
const FILES: &[(&str, &str)] = files![
    "audit/audit.css",
    "call/call.css",
    "call/call.js",
    "call/ear.js",
    "call/listen.js",
    "callers/callers.css",
    "callers/callers.js",
    "calls/calls.css",
    "calls/calls.js",
    "lines/lines.css",
    "lines/lines.js",
    "live/health.js",
    "live/live.css",
    "live/live.js",
    "live/order.js",
    "live/table.js",
    "shell/shell.css",
    "shell/shell.js",
    "shell/words.js",
    "sign_in/sign_in.css",
    "system/system.css",
    "system/system.js",
];

/// The first 16 hex digits of the SHA-256 of all files.
static HASH: LazyLock<String> = LazyLock::new(|| {
    let mut hash = Sha256::new();
    for (path, text) in FILES {
        for part in [path, text] {
            hash.update(part.len().to_be_bytes());
            hash.update(part.as_bytes());
        }
    }
    hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
});

/// Where a page finds a file, such as `shell/shell.css`.
pub(super) fn path(file: &str) -> String {
    format!("/assets/{}/{file}", *HASH)
}

/// `GET /assets/{hash}/{file}`.
pub(crate) async fn file(path: web::Path<(String, String)>) -> Result<HttpResponse, Problem> {
    let (hash, name) = path.into_inner();
    let found = FILES.iter().find(|(path, _)| *path == name && hash == *HASH);
    let (_, text) = found.ok_or_else(|| Problem::of(Code::NotFound))?;
    let is_script = std::path::Path::new(&name).extension().is_some_and(|end| end == "js");
    let media_type = if is_script { "text/javascript; charset=utf-8" } else { "text/css; charset=utf-8" };
    let forever = HeaderValue::from_static("public, max-age=31536000, immutable");
    Ok(answer(media_type).insert_header((header::CACHE_CONTROL, forever)).body(*text))
}

#[cfg(test)]
mod tests;
