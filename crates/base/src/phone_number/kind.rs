//! Kinds of telephone numbers, which decide what a call costs.
//!
//! Pure: no clock, no I/O, no actor.

use rlibphonenumber::PhoneNumberType;

/// Kind of a number. Closed list; an unassigned number is `Unknown`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum NumberKind {
    /// A fixed line.
    FixedLine,
    /// A mobile telephone.
    Mobile,
    /// Fixed line or mobile: North American numbers do not differ.
    FixedLineOrMobile,
    /// Voice over IP; in France most homes.
    Voip,
    /// Free for the caller, paid by the called party.
    TollFree,
    /// Expensive for the caller.
    PremiumRate,
    /// Paid by both parties.
    SharedCost,
    /// Personal number, forwarded anywhere, at any price.
    PersonalNumber,
    /// A pager.
    Pager,
    /// Company number (UAN).
    UniversalAccess,
    /// A voice mailbox.
    Voicemail,
    /// A range without a country: satellites (+870, +881), global networks (+882, +883), +800, +808, +979.
    Global,
    /// Not in the tables.
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
