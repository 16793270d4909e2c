//! Shared basics of every layer: clock, delays between retries, telephone numbers, what may be wrong with text, what
//! a text may not show, the limit of open files.

pub mod backoff;
pub mod clock;
pub mod exact_numbers;
pub mod invisible;
pub mod moment;
pub mod open_files;
pub mod phone_number;
pub mod redact;
