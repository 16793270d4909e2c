//! The simulators on a command line: what `precall simulate` and the program `precall-simulators` take.

use std::error::Error;

use clap::Subcommand;

use crate::{elevenlabs, s3, threecx};

/// One simulator on a port of this machine, until SIGTERM or Ctrl-C; or a caller who rings one.
#[derive(Debug, Subcommand)]
pub enum Simulator {
    /// ElevenLabs: voices, agents by phone and by WebSocket, signed post-call webhooks.
    Elevenlabs(Box<elevenlabs::Args>),
    /// A 3CX PBX: calls, call control, audio both ways, signed webhooks.
    Threecx(Box<threecx::Args>),
    /// A store that speaks S3: one bucket, kept in memory, with versions.
    S3(Box<s3::Args>),
    /// A caller: ring the simulated 3CX that runs on this machine, wait until the call is over, print its report.
    Ring(threecx::RingArgs),
}

impl Simulator {
    /// Runs it, in an actix system.
    ///
    /// # Errors
    /// It cannot start, for example because its port is taken; or the caller's call did not take place.
    pub async fn run(self) -> Result<(), Box<dyn Error>> {
        match self {
            Self::Elevenlabs(arguments) => elevenlabs::run((*arguments).into()).await?,
            Self::Threecx(arguments) => threecx::run((*arguments).into()).await?,
            Self::S3(arguments) => s3::run((*arguments).into()).await?,
            Self::Ring(arguments) => println!("{:#}", threecx::ring(&arguments).await?),
        }
        Ok(())
    }
}
