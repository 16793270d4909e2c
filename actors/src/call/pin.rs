//! PINs: format, hashing and verification. A PIN is never logged or displayed.

pub(crate) mod check;
pub mod keypad;

use std::fmt;

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};

/// Fewest digits; fewer can be guessed.
pub const DIGITS_MIN: usize = 4;
/// Most digits.
pub const DIGITS_MAX: usize = 12;

/// The digits of a PIN, not checked yet.
#[derive(Clone, PartialEq, Eq)]
pub struct Pin(String);

impl Pin {
    /// Reads 4 to 12 digits.
    ///
    /// # Errors
    /// If the text is not 4 to 12 digits.
    pub fn parse(text: &str) -> Result<Self, PinError> {
        if !text.chars().all(|c| c.is_ascii_digit()) {
            return Err(PinError::NotDigits);
        }
        if !(DIGITS_MIN..=DIGITS_MAX).contains(&text.len()) {
            return Err(PinError::Length);
        }
        Ok(Self(text.to_owned()))
    }

    /// Whether every digit differs from the one before by `step`.
    fn steps_by(&self, step: i16) -> bool {
        let digits = self.0.as_bytes();
        digits.iter().zip(digits.iter().skip(1)).all(|(a, b)| i16::from(*b) - i16::from(*a) == step)
    }
}

/// Hides the digits.
impl fmt::Debug for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pin(..)")
    }
}

/// Why a PIN is refused. No text contains a digit of the PIN.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PinError {
    /// Not only digits.
    #[error("a PIN must contain digits only")]
    NotDigits,
    /// Too few or too many.
    #[error("a PIN must have {DIGITS_MIN} to {DIGITS_MAX} digits")]
    Length,
    /// One digit repeated.
    #[error("a PIN must not repeat a single digit, it is easy to guess")]
    OneDigit,
    /// Consecutive digits, up or down.
    #[error("a PIN must not be consecutive digits, up or down, it is easy to guess")]
    InARow,
    /// No randomness for the salt, or not enough memory.
    #[error("could not hash the PIN")]
    Unhashed,
}

/// Hashes a PIN for column `pin_hash`: Argon2id with its own salt, as a PHC string. Takes about 20 MB and some tens of
/// milliseconds, so it must not run on an async thread.
///
/// # Errors
/// If it is no PIN, or easy to guess.
pub fn hash_pin(pin: &str) -> Result<String, PinError> {
    let pin = Pin::parse(pin)?;
    if pin.steps_by(0) {
        return Err(PinError::OneDigit);
    }
    if pin.steps_by(1) || pin.steps_by(-1) {
        return Err(PinError::InARow);
    }
    let hash = Argon2::default().hash_password(pin.0.as_bytes()).map_err(|_| PinError::Unhashed)?;
    Ok(hash.to_string())
}

/// Whether the hash belongs to this PIN; false for an unreadable hash. As expensive as [`hash_pin`].
#[must_use]
pub fn is_pin_of(pin: &Pin, hash: &str) -> bool {
    PasswordHash::new(hash)
        .is_ok_and(|hash| Argon2::default().verify_password(pin.0.as_bytes(), &hash).is_ok())
}

#[cfg(test)]
mod tests;
