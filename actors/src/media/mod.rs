//! Sound as bytes: what is played into a call and what comes out of it.

mod clip;

pub use clip::Clip;
