//! What a number is for, and so what ringing it costs.
//!
//! Pure: no clock, no I/O, no actor.

use rlibphonenumber::PhoneNumberType;

/// What a number is. Closed; `Unknown` is also what is not in use.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum NumberKind {
    /// A fixed line.
    FixedLine,
    /// A mobile telephone.
    Mobile,
    /// One of the two; North America does not tell.
    FixedLineOrMobile,
    /// Voice over IP: in France, for one, most homes.
    Voip,
    /// Free for who rings, paid by who is rung.
    TollFree,
    /// Dear for who rings.
    PremiumRate,
    /// Paid by both.
    SharedCost,
    /// Follows a person around, at any price.
    PersonalNumber,
    /// A pager.
    Pager,
    /// One number for a whole company.
    UniversalAccess,
    /// A mailbox.
    Voicemail,
    /// A range of no country: satellites (+870, +881), global networks (+882, +883), +800, +808, +979.
    Global,
    /// In no table.
    Unknown,
}

impl From<PhoneNumberType> for NumberKind {
    fn from(kind: PhoneNumberType) -> Self {
        match kind {
            PhoneNumberType::FixedLine => Self::FixedLine,
            PhoneNumberType::Mobile => Self::Mobile,
            PhoneNumberType::FixedLineOrMobile => Self::FixedLineOrMobile,
            PhoneNumberType::VoIP => Self::Voip,
            PhoneNumberType::TollFree => Self::TollFree,
            PhoneNumberType::PremiumRate => Self::PremiumRate,
            PhoneNumberType::SharedCost => Self::SharedCost,
            PhoneNumberType::PersonalNumber => Self::PersonalNumber,
            PhoneNumberType::Pager => Self::Pager,
            PhoneNumberType::UAN => Self::UniversalAccess,
            PhoneNumberType::VoiceMail => Self::Voicemail,
            PhoneNumberType::Unknown => Self::Unknown,
        }
    }
}
