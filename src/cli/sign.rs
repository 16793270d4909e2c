//! `precall sign`: the signature header of a webhook body on standard input.

use std::io::Read;

use clap::ValueEnum;

use super::{Exit, unusable};
use crate::signature::{Kind, sign};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The secret shared with the sender.
    #[arg(long)]
    secret: String,
    /// Sender whose header is printed.
    #[arg(long, value_enum, default_value_t = Header::Threecx)]
    header: Header,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Header {
    #[value(name = "3cx")]
    Threecx,
    Elevenlabs,
}

pub(super) fn run(arguments: &Arguments) -> Exit {
    let mut body = Vec::new();
    if let Err(error) = std::io::stdin().read_to_end(&mut body) {
        return unusable(&error);
    }
    let kind = match arguments.header {
        Header::Threecx => Kind::ThreeCx,
        Header::Elevenlabs => Kind::ElevenLabs,
    };
    let (name, value) = sign(kind, arguments.secret.as_bytes(), &body, precall_base::clock::wall());
    println!("{name}: {value}");
    Exit::Good
}
