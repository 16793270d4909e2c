//! The embedded database of `serve`. Only a build with the feature `simulators` has one.

#[cfg(not(feature = "simulators"))]
mod absent;
#[cfg(feature = "simulators")]
mod present;

#[cfg(not(feature = "simulators"))]
pub(crate) use absent::{EmbeddedDatabase, EmbeddedError};
#[cfg(feature = "simulators")]
pub(crate) use present::start_server;
#[cfg(feature = "simulators")]
pub(crate) use present::{EmbeddedDatabase, EmbeddedError};

/// Whether this build has an embedded database.
pub(crate) const IN_THIS_BUILD: bool = cfg!(feature = "simulators");
