//! The engine: every actor of precall, in rooms named after the work.
//!
//! A call starts in `admission`, lives in `call`, gets its voice from `voices` and is written by `durability`. The
//! edge uses only `api`. A room never imports a room above it in this list.

pub mod caller_key;

pub mod lifecycle;

pub mod api;
pub mod erasure;
pub mod reports;

pub mod canary;

pub mod admission;
pub mod call;
pub mod voices;

pub mod observe;
pub mod pbx;

pub mod limits;

pub mod durability;
pub mod runtime;
