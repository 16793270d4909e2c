//! `precall-simulators`: the simulators as a program of their own, the same as `precall simulate`. It is compiled much
//! faster than precall, so that whoever tries precall in containers does not compile precall twice.

use std::process::ExitCode;

use clap::Parser;
use precall_simulators::Simulator;

/// Simulate ElevenLabs, a 3CX PBX or an S3 store, to try precall without accounts; or ring the simulated 3CX.
#[derive(Debug, Parser)]
#[command(name = "precall-simulators", version)]
struct Arguments {
    #[command(subcommand)]
    simulator: Simulator,
}

fn main() -> ExitCode {
    let Arguments { simulator } = Arguments::parse();
    match actix_web::rt::System::new().block_on(simulator.run()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("precall-simulators: {error}");
            ExitCode::FAILURE
        }
    }
}
