//! `precall bundle [CALL]`: an archive for a fault report. It has no secrets, no transcripts and no whole numbers.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use precall_base::redact::hide;
use serde_json::{Value, json};

use super::service::{Service, failed, now, unreadable};
use super::{Exit, environment, why};
use crate::config::Config;

/// So much of the end of the log file is looked at.
const LOG_BYTES_MAX: u64 = 64 << 20;
/// So much of it is packed without a call.
const LOG_BYTES_PACKED: u64 = 4 << 20;
/// Failed calls that are listed.
const FAILED_MOST: usize = 200;
/// What stays out of the archive: what was said, and where it can be heard.
const LEFT_OUT: [&str; 7] = [
    "transcript",
    "metadata",
    "analysis",
    "machine_detection",
    "summary_title",
    "recording_url",
    "termination_reason",
];

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// A call, as for `precall why`; without it the service as a whole
    call: Option<String>,
    /// Where to write the archive; without it precall-bundle-TIME.tar here
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    service: Service,
}

/// A file of the archive.
struct Piece {
    name: &'static str,
    content: Vec<u8>,
}

impl Piece {
    fn json(name: &'static str, value: &Value) -> Self {
        Self { name, content: format!("{value:#}\n").into_bytes() }
    }

    fn text(name: &'static str, text: impl Into<String>) -> Self {
        Self { name, content: text.into().into_bytes() }
    }
}

pub(super) async fn run(arguments: Arguments) -> Exit {
    let Arguments { call, out, service } = arguments;
    let path =
        out.unwrap_or_else(|| PathBuf::from(format!("precall-bundle-{:.0}.tar", now()).replace(':', "")));
    let pieces = match pieces(&service, call.as_deref()).await {
        Ok(pieces) => pieces,
        Err(exit) => return exit,
    };
    if let Err(error) = pack(&path, &pieces) {
        return failed(&format!("{}: {error}", path.display()));
    }
    println!("{} has:", path.display());
    for piece in &pieces {
        println!("  {} ({} bytes)", piece.name, piece.content.len());
    }
    println!("Numbers are masked, and what was said is left out. Look through it before you send it.");
    Exit::Good
}

async fn pieces(service: &Service, call: Option<&str>) -> Result<Vec<Piece>, Exit> {
    let mut pieces = vec![Piece::json("versions.json", &versions())];
    pieces.push(Piece::json("live.json", &redacted(service.get("live").await?)));
    let mut id = None;
    if let Some(call) = call {
        let known = why::known(service, call).await?;
        id = known.call.get("id").and_then(Value::as_str).map(ToOwned::to_owned);
        pieces.push(Piece::text("why.txt", hide(&known.story().map_err(|error| unreadable(&error))?)));
        let wire = match known.wire(service).await {
            Ok(wire) => Piece::json("wire.json", &redacted(wire)),
            Err(_) => Piece::text("wire.json", "not readable: it needs a key with the scope operate\n"),
        };
        pieces.push(wire);
        pieces.push(Piece::json("call.json", &redacted(known.call)));
        pieces.push(Piece::json("events.json", &redacted(Value::Array(known.events))));
    } else {
        let failures = service.list("calls", "status=failed", FAILED_MOST).await?;
        pieces.push(Piece::json("failed.json", &redacted(Value::Array(failures))));
    }
    pieces.extend(of_this_host(id.as_deref()));
    Ok(pieces)
}

fn versions() -> Value {
    json!({
        "precall": env!("CARGO_PKG_VERSION"),
        "system": std::env::consts::OS,
        "architecture": std::env::consts::ARCH,
        "made_at": now(),
    })
}

/// The configuration and the log, if this is the host of the service.
fn of_this_host(call: Option<&str>) -> Vec<Piece> {
    let config = match environment().and_then(|set| Config::from_map(&set)) {
        Ok(config) => config,
        Err(error) => {
            return vec![Piece::text("configuration.txt", hide(&format!("not readable here: {error}\n")))];
        }
    };
    let mut shown = config.show().to_owned();
    for notice in config.notices().iter().chain(config.warnings()) {
        let _ = writeln!(shown, "note: {notice}");
    }
    let mut pieces = vec![Piece::text("configuration.txt", hide(&shown))];
    if let Some(file) = &config.log.file {
        let lines = log_lines(&file.path, call);
        pieces.push(match lines {
            Ok(lines) => Piece { name: "log.jsonl", content: lines },
            Err(error) => Piece::text("log.jsonl", format!("not readable here: {error}\n")),
        });
    }
    pieces
}

/// The lines of a call, or the last lines. precall masks numbers when it writes them.
fn log_lines(path: &Path, call: Option<&str>) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    let most = if call.is_some() { LOG_BYTES_MAX } else { LOG_BYTES_PACKED };
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(most)))?;
    let mut text = Vec::new();
    file.take(most).read_to_end(&mut text)?;
    // The first line may be cut.
    let cut = if length > most {
        text.iter().position(|byte| *byte == b'\n').map_or(0, |at| at.saturating_add(1))
    } else {
        0
    };
    let whole = text.get(cut..).unwrap_or_default();
    let Some(call) = call else { return Ok(whole.to_vec()) };
    let lines = whole.split_inclusive(|byte| *byte == b'\n');
    let has_call = |line: &&[u8]| line.windows(call.len()).any(|part| part == call.as_bytes());
    Ok(lines.filter(has_call).collect::<Vec<_>>().concat())
}

/// The value without what was said. Numbers, secrets and tokens are hidden in every text.
fn redacted(value: Value) -> Value {
    match value {
        Value::Array(items) => Value::Array(items.into_iter().map(redacted).collect()),
        Value::Object(fields) => Value::Object(
            fields
                .into_iter()
                .map(|(name, value)| {
                    let value = match value {
                        Value::Null => Value::Null,
                        _ if LEFT_OUT.contains(&name.as_str()) => json!("left out"),
                        other => redacted(other),
                    };
                    (name, value)
                })
                .collect(),
        ),
        Value::String(text) => json!(hide(&text)),
        other => other,
    }
}

fn pack(path: &Path, pieces: &[Piece]) -> io::Result<()> {
    // An archive that is there already is kept.
    let mut archive = tar::Builder::new(fs::OpenOptions::new().write(true).create_new(true).open(path)?);
    for piece in pieces {
        let mut header = tar::Header::new_gnu();
        header.set_size(u64::try_from(piece.content.len()).unwrap_or(0));
        header.set_mode(0o600);
        header.set_mtime(u64::try_from(now().as_second()).unwrap_or(0));
        header.set_cksum();
        archive.append_data(
            &mut header,
            format!("precall-bundle/{}", piece.name),
            piece.content.as_slice(),
        )?;
    }
    archive.into_inner()?.sync_all()
}

#[cfg(test)]
mod tests;
