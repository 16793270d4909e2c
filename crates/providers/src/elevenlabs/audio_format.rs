//! What an agent's socket can carry, by the provider's names (facts, section 4). They are settings of the agent, not of a
//! conversation.

/// Audio on the agent's WebSocket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AudioFormat {
    /// Signed 16 bits, little endian, mono, so many samples a second.
    Pcm(u32),
    /// G.711 mu-law at 8,000 samples a second.
    Ulaw,
}

impl AudioFormat {
    /// Every one that the provider has.
    pub const ALL: [(&'static str, Self); 7] = [
        ("pcm_8000", Self::Pcm(8_000)),
        ("pcm_16000", Self::Pcm(16_000)),
        ("pcm_22050", Self::Pcm(22_050)),
        ("pcm_24000", Self::Pcm(24_000)),
        ("pcm_44100", Self::Pcm(44_100)),
        ("pcm_48000", Self::Pcm(48_000)),
        ("ulaw_8000", Self::Ulaw),
    ];

    /// The one with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(known, _)| *known == name).map(|(_, format)| *format)
    }
}
