//! PINs: what may be one, how it is stored, and whether what was typed is it. Nothing here is ever shown.

pub(crate) mod check;
pub mod keypad;

use std::fmt;

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};

/// Fewer can be guessed.
pub const DIGITS_MIN: usize = 4;
/// More nobody types.
pub const DIGITS_MAX: usize = 12;

/// Digits that somebody typed.
#[derive(Clone, PartialEq, Eq)]
pub struct Pin(String);

impl Pin {
    /// Reads 4 to 12 digits.
    ///
    /// # Errors
    /// When they are no PIN.
    pub fn parse(text: &str) -> Result<Self, PinError> {
        if !text.chars().all(|c| c.is_ascii_digit()) {
            return Err(PinError::NotDigits);
        }
        if !(DIGITS_MIN..=DIGITS_MAX).contains(&text.len()) {
            return Err(PinError::Length);
        }
        Ok(Self(text.to_owned()))
    }

    /// Whether every digit follows from the one before by the same rule.
    fn steps_by(&self, step: i16) -> bool {
        let digits = self.0.as_bytes();
        digits.iter().zip(digits.iter().skip(1)).all(|(a, b)| i16::from(*b) - i16::from(*a) == step)
    }
}

/// Its digits are nobody's to see.
impl fmt::Debug for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pin(..)")
    }
}

/// Why this is no PIN for a caller. None of the texts shows a digit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PinError {
    /// Something else among them.
    #[error("a PIN is digits alone")]
    NotDigits,
    /// Too few or too many.
    #[error("a PIN has {DIGITS_MIN} to {DIGITS_MAX} digits")]
    Length,
    /// The first that anybody would try.
    #[error("a PIN of one digit again and again is the first that anybody tries")]
    OneDigit,
    /// The next that anybody would try.
    #[error("a PIN of digits in a row, up or down, is among the first that anybody tries")]
    InARow,
    /// The system gave no randomness for the salt, or no memory.
    #[error("the PIN could not be hashed")]
    Unhashed,
}

/// What `pin_hash` keeps of a caller's PIN: Argon2id with a salt of its own, as a PHC string. Takes about 20 MB and some tens of
/// milliseconds: not for a thread that others wait for.
///
/// # Errors
/// When it is no PIN, or one that anybody would guess.
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

/// Whether the hash is this PIN's. Costs what hashing costs; a hash that nobody can read is nobody's.
#[must_use]
pub fn is_pin_of(pin: &Pin, hash: &str) -> bool {
    PasswordHash::new(hash)
        .is_ok_and(|hash| Argon2::default().verify_password(pin.0.as_bytes(), &hash).is_ok())
}

#[cfg(test)]
mod tests;
