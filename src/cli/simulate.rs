//! `precall simulate`: one simulator on a port of this machine, until SIGTERM or Ctrl-C; or a caller who rings one.

use clap::Subcommand;
use precall_simulators::{elevenlabs, s3, threecx};

use super::{Exit, said};

#[derive(Debug, Subcommand)]
pub(super) enum Provider {
    /// ElevenLabs: voices, agents by phone and by WebSocket, signed post-call webhooks.
    Elevenlabs(Box<elevenlabs::Args>),
    /// A 3CX PBX: calls, call control, audio both ways, signed webhooks.
    Threecx(Box<threecx::Args>),
    /// A store that speaks S3: one bucket, kept in memory, with versions.
    S3(Box<s3::Args>),
    /// A caller: ring the simulated 3CX that runs on this machine, wait until the call is over, print its report.
    Ring(threecx::RingArgs),
}

pub(super) async fn run(provider: Provider) -> Exit {
    match provider {
        Provider::Elevenlabs(arguments) => said(elevenlabs::run((*arguments).into()).await),
        Provider::Threecx(arguments) => said(threecx::run((*arguments).into()).await),
        Provider::S3(arguments) => said(s3::run((*arguments).into()).await),
        Provider::Ring(arguments) => {
            let rung = threecx::ring(&arguments).await;
            said(rung.map(|report| println!("{report:#}")))
        }
    }
}
