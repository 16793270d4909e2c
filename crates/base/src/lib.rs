//! What every layer needs and nobody owns: the clock, delays between retries, phone numbers.

pub mod backoff;
pub mod clock;
pub mod phone_number;
