//! The hours in which only the most serious alerts go out. Pure.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use jiff::civil::Time;
use jiff::tz::TimeZone;

/// Hours of every day, in one time zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuietHours {
    from: Time,
    /// Not included. Earlier than `from`: the next morning.
    to: Time,
    zone: TimeZone,
    text: String,
}

impl FromStr for QuietHours {
    type Err = &'static str;

    /// `22:00-07:00 Europe/Berlin`; without a time zone UTC.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const WRONG: &str = "is not like 22:00-07:00 Europe/Berlin";
        let (hours, zone) = text.split_once(' ').unwrap_or((text, "UTC"));
        let (from, to) = hours.split_once('-').ok_or(WRONG)?;
        let time = |text: &str| {
            let is_time = text.len() == 5 && text.is_ascii();
            Time::strptime("%H:%M", text).ok().filter(|_| is_time).ok_or(WRONG)
        };
        let (from, to) = (time(from)?, time(to)?);
        if from == to {
            return Err("begins and ends at the same time");
        }
        let zone = TimeZone::get(zone.trim()).map_err(|_| "names no time zone")?;
        Ok(Self { from, to, zone, text: text.to_owned() })
    }
}

impl fmt::Display for QuietHours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl QuietHours {
    /// Whether it is quiet at this moment.
    #[must_use]
    pub fn hold(&self, now: Timestamp) -> bool {
        let time = now.to_zoned(self.zone.clone()).time();
        if self.from < self.to {
            (self.from..self.to).contains(&time)
        } else {
            time >= self.from || time < self.to
        }
    }
}

#[cfg(test)]
mod tests;
