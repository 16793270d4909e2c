//! Makes new inputs of those in the corpus, the same ones for the same seed. libFuzzer has its own.

/// Numbers, the same ones for the same seed (xorshift).
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// `seed` may be any number.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        // Neighbouring seeds give unlike numbers, and zero would give zeros alone.
        Self(seed.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// A number below `bound`; 0 for a bound of 0.
    pub fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        let bound = u64::try_from(bound).unwrap_or(u64::MAX).max(1);
        // The upper bits are the better ones.
        usize::try_from((self.0 >> 16) % bound).unwrap_or(0)
    }
}

/// Texts that parsers stumble over.
const TEXTS: [&str; 16] = [
    "",
    "0",
    "-1",
    "18446744073709551616",
    "1e999",
    "0.1",
    "null",
    "\u{0}",
    "\u{feff}",
    "\u{2028}",
    "\\u0000",
    "\\ud800",
    "%00",
    "\r\n",
    "[[[[[[[[",
    "{\"a\":",
];
const BYTES: [u8; 12] = [0, 1, 0x7f, 0x80, 0xff, b'"', b'\\', b',', b';', b'=', b'\n', b'%'];

/// Makes inputs of a corpus.
#[derive(Debug)]
pub struct Mutator<'c> {
    corpus: &'c [Vec<u8>],
    bytes_max: usize,
    random: Random,
}

impl<'c> Mutator<'c> {
    /// The corpus must not be empty. No input is longer than `bytes_max`.
    #[must_use]
    pub fn new(corpus: &'c [Vec<u8>], bytes_max: usize, seed: u64) -> Self {
        Self { corpus, bytes_max, random: Random::new(seed) }
    }

    /// The next input: one of the corpus with one to eight changes.
    pub fn next_input(&mut self) -> Vec<u8> {
        let mut input = self.any().to_vec();
        for _ in 0..=self.random.below(8) {
            self.change(&mut input);
        }
        input.truncate(self.bytes_max);
        input
    }

    fn any(&mut self) -> &'c [u8] {
        let index = self.random.below(self.corpus.len());
        self.corpus.get(index).map(Vec::as_slice).unwrap_or_default()
    }

    fn change(&mut self, input: &mut Vec<u8>) {
        let from = self.random.below(input.len().saturating_add(1));
        let left = input.len().saturating_sub(from);
        // Short pieces more often than long ones.
        let most = if self.random.below(4) == 0 { left } else { left.min(8) };
        let to = from.saturating_add(self.random.below(most.saturating_add(1)));
        match self.random.below(7) {
            0 => {
                let bit = 1 << self.random.below(8);
                input.get_mut(from).into_iter().for_each(|byte| *byte ^= bit);
            }
            1 => {
                let byte = BYTES[self.random.below(BYTES.len())];
                input.get_mut(from).into_iter().for_each(|place| *place = byte);
            }
            2 => drop(input.drain(from..to)),
            3 => {
                let piece = input[from..to].repeat(self.random.below(4).saturating_add(1));
                input.splice(from..from, piece);
            }
            4 => {
                let text = TEXTS[self.random.below(TEXTS.len())];
                input.splice(from..to, text.bytes());
            }
            5 => {
                let other = self.any();
                let start = self.random.below(other.len());
                let end = start.saturating_add(self.random.below(64)).min(other.len());
                input.splice(from..to, other[start..end].iter().copied());
            }
            _ => {
                let number = u32::try_from(self.random.below(1 << 32)).unwrap_or(u32::MAX);
                let number = if self.random.below(2) == 0 { number } else { number >> 24 };
                let bytes =
                    if self.random.below(2) == 0 { number.to_le_bytes() } else { number.to_be_bytes() };
                let end = from.saturating_add(bytes.len()).min(input.len());
                input[from..end].copy_from_slice(&bytes[..end.saturating_sub(from)]);
            }
        }
    }
}
