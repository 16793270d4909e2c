//! Simulators of ElevenLabs, 3CX and an S3 store, over real HTTP, so that demo, tests and operators can run precall
//! without an account. A simulator shares no types with our clients: shared types would cancel each other's errors.

pub mod elevenlabs;
pub mod s3;
pub mod threecx;

mod command;
mod shared;

pub use command::Simulator;
pub use shared::options::{LoopbackUrl, OptionError, Secret, Target};
