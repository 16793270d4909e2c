//! Shared basics of every layer: clock, delays between retries, telephone numbers.

pub mod backoff;
pub mod clock;
pub mod phone_number;
