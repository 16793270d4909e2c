//! What is said to the providers and heard from them. This layer knows ids and facts, never actors; it returns results and
//! writes no log.

pub mod elevenlabs;
pub mod s3;
pub mod threecx;
pub mod trust;

mod exchange;
mod lenient;
mod shown;
