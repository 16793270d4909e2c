//! Spans of time as people write and read them. Pure.

use std::time::Duration;

use jiff::SignedDuration;

/// A time like `90s`, `30m`, `1h` or `2d`.
pub(crate) fn span(text: &str) -> Result<Duration, String> {
    let wrong = || "must be a number with s, m, h or d, like 30m".to_owned();
    let (number, unit) = text.split_at_checked(text.len().saturating_sub(1)).ok_or_else(wrong)?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return Err(wrong()),
    };
    let number: u32 = number.parse().map_err(|_| wrong())?;
    Ok(Duration::from_secs(u64::from(number).saturating_mul(seconds)))
}

/// A time as `4.2 s`, `3:07 min` or `2:05:00 h`.
pub(crate) fn short(took: SignedDuration) -> String {
    let took = took.max(SignedDuration::ZERO);
    let (seconds, tenths) = (took.as_secs(), took.subsec_millis() / 100);
    match seconds {
        0..60 => format!("{seconds}.{tenths} s"),
        60..3_600 => format!("{}:{:02} min", seconds / 60, seconds % 60),
        _ => format!("{}:{:02}:{:02} h", seconds / 3_600, seconds / 60 % 60, seconds % 60),
    }
}

#[cfg(test)]
mod tests;
