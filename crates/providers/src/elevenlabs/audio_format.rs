//! Audio formats of an agent's WebSocket, by the provider's names (ElevenLabs facts, section 4). They are settings of
//! the agent, not of a conversation.

/// Audio format on the agent's WebSocket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AudioFormat {
    /// Signed 16-bit little-endian PCM, mono; samples per second.
    Pcm(u32),
    /// G.711 mu-law, 8,000 samples per second.
    Ulaw,
}

impl AudioFormat {
    /// All formats of the provider.
    pub const ALL: [(&'static str, Self); 7] = [
        ("pcm_8000", Self::Pcm(8_000)),
        ("pcm_16000", Self::Pcm(16_000)),
        ("pcm_22050", Self::Pcm(22_050)),
        ("pcm_24000", Self::Pcm(24_000)),
        ("pcm_44100", Self::Pcm(44_100)),
        ("pcm_48000", Self::Pcm(48_000)),
        ("ulaw_8000", Self::Ulaw),
    ];

    /// The format with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(known, _)| *known == name).map(|(_, format)| *format)
    }
}
