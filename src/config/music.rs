//! Where the music on hold is: an address of the web or a file of this machine.

use std::path::PathBuf;

use precall_actors::prompts::HoldOrder;
use url::Url;

use super::value::{Complaint, FromText};
use super::variables::Kind;

/// What `GREETING_MUSIC_URL` names; whether it is played at all is another variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Music {
    Address(Url),
    File(PathBuf),
}

impl Music {
    /// What is to be prepared.
    pub(super) fn order(music: Option<Self>) -> HoldOrder {
        match music {
            None => HoldOrder::BuiltIn,
            Some(Self::Address(url)) => HoldOrder::Address(url),
            Some(Self::File(path)) => HoldOrder::File(path),
        }
    }
}

impl FromText for Music {
    const KIND: Kind = Kind::Form("http or https address, or path");

    fn from_text(text: &str) -> Result<Self, Complaint> {
        const RIGHT: &str =
            "an http or https address without a user or password, a path, or file:// and an absolute path";
        let wrong = |wrong: &str| Complaint::new(wrong, RIGHT);
        if text.chars().any(char::is_control) {
            return Err(wrong("holds control characters"));
        }
        if !text.contains("://") {
            return Ok(Self::File(PathBuf::from(text)));
        }
        let url = Url::parse(text).map_err(|_| wrong("is not an address"))?;
        match url.scheme() {
            // A host other than this one is refused here as well.
            "file" => url.to_file_path().map(Self::File).map_err(|()| wrong("names no file of this machine")),
            "http" | "https" if url.username().is_empty() && url.password().is_none() => {
                Ok(Self::Address(url))
            }
            _ => Err(wrong("is not such an address")),
        }
    }
}

#[cfg(test)]
mod tests;
