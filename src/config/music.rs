//! The source of the music on hold: a web address or a local file.

use std::path::PathBuf;

use precall_audio::prompts::HoldOrder;
use url::Url;

use super::kind::Kind;
use super::value::{Complaint, FromText};

/// `GREETING_MUSIC_URL`. `GREETING_MUSIC_ENABLED` decides whether music is played.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Music {
    Address(Url),
    File(PathBuf),
}

impl Music {
    /// What precall prepares for the hold.
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
            // Also refuses a file on another host.
            "file" => url.to_file_path().map(Self::File).map_err(|()| wrong("names no file on this machine")),
            "http" | "https" if url.username().is_empty() && url.password().is_none() => {
                Ok(Self::Address(url))
            }
            _ => Err(wrong("is an address that cannot be used")),
        }
    }
}

#[cfg(test)]
mod tests;
