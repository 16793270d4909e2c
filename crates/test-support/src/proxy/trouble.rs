//! Pure: what a troubled network does to a connection, and to each piece of data on it.

use std::collections::BTreeMap;
use std::time::Duration;

/// Names the connections that have something in common, such as the audio streams of a PBX.
pub type Lane = &'static str;

/// Bytes of one piece of a trickle, and the time between two pieces.
const TRICKLE: (usize, Duration) = (3, Duration::from_millis(500));

/// What is wrong with the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// Everything comes later by this time.
    Delay(Duration),
    /// Everything comes later by a random time, at most this one.
    Jitter(Duration),
    /// Nothing moves until it is over. Then everything goes on.
    Stall,
    /// The connection stays open and carries nothing any more, also when the trouble is over.
    BlackHole,
    /// The connection is reset.
    Reset,
    /// The client is told that nothing more comes; what the client sends is still taken.
    HalfClose,
    /// A few bytes a second.
    Trickle,
    /// The next piece of data, in one direction, is cut in its middle, and the connection is closed.
    Cut,
}

/// Which way data goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    ToServer,
    ToClient,
}

/// The trouble of a lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Affliction {
    pub trouble: Trouble,
    /// How many of a hundred connections have it, old and new.
    pub percent: u8,
}

/// The afflictions of all lanes, each with a number of its own.
#[derive(Clone, Debug, Default)]
pub struct Weather {
    begun: u64,
    lanes: BTreeMap<Lane, (u64, Affliction)>,
}

impl Weather {
    pub fn afflict(&mut self, lane: Lane, affliction: Affliction) {
        self.begun += 1;
        self.lanes.insert(lane, (self.begun, affliction));
    }

    pub fn heal(&mut self, lane: Lane) {
        self.lanes.remove(lane);
    }

    pub fn heal_all(&mut self) {
        self.lanes.clear();
    }
}

/// What becomes of a whole connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    BlackHole,
    Reset,
    HalfClose,
}

/// What becomes of a piece of data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passage {
    /// It goes on at once.
    Free,
    /// It goes on after this time.
    After(Duration),
    /// It waits until the weather changes.
    Held,
    /// This many bytes go on. The rest is asked about again after this time.
    Piece(usize, Duration),
    /// This many bytes go on. Then the connection is closed.
    CutAfter(usize),
}

/// One connection in the weather. Its luck follows from the seed and its number. Its lane can change: a client may use
/// a connection again for something else.
#[derive(Clone, Debug)]
pub struct Traveller {
    luck: u64,
    dice: Dice,
}

impl Traveller {
    pub fn new(seed: u64, number: u64) -> Self {
        let mut dice = Dice::new(seed ^ number.wrapping_mul(0x2545_f491_4f6c_dd1d));
        Self { luck: dice.roll(), dice }
    }

    /// What the weather does to it as a whole.
    pub fn fate(&self, weather: &Weather, lane: Lane) -> Option<Fate> {
        match self.trouble(weather, lane)? {
            Trouble::BlackHole => Some(Fate::BlackHole),
            Trouble::Reset => Some(Fate::Reset),
            Trouble::HalfClose => Some(Fate::HalfClose),
            Trouble::Delay(_) | Trouble::Jitter(_) | Trouble::Stall | Trouble::Trickle | Trouble::Cut => None,
        }
    }

    /// What the weather does to its next piece of data.
    pub fn passage(&mut self, weather: &Weather, lane: Lane, way: Way, bytes: usize) -> Passage {
        match self.trouble(weather, lane) {
            Some(Trouble::Delay(time)) => Passage::After(time),
            Some(Trouble::Jitter(most)) => Passage::After(self.dice.up_to(most)),
            Some(Trouble::Stall) => Passage::Held,
            Some(Trouble::Trickle) => Passage::Piece(bytes.min(TRICKLE.0), TRICKLE.1),
            Some(Trouble::Cut) if way == self.cut_way() => Passage::CutAfter(bytes / 2),
            Some(Trouble::Cut | Trouble::BlackHole | Trouble::Reset | Trouble::HalfClose) | None => {
                Passage::Free
            }
        }
    }

    /// Answers are cut three times as often as questions.
    fn cut_way(&self) -> Way {
        if self.luck.is_multiple_of(4) { Way::ToServer } else { Way::ToClient }
    }

    fn trouble(&self, weather: &Weather, lane: Lane) -> Option<Trouble> {
        let (number, affliction) = weather.lanes.get(lane)?;
        let coin = Dice::new(self.luck ^ number).roll() % 100;
        (coin < u64::from(affliction.percent)).then_some(affliction.trouble)
    }
}

/// Numbers that follow from a seed (SplitMix64).
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below this one, which is not 0.
    pub fn below(&mut self, limit: usize) -> usize {
        let limit = u64::try_from(limit).unwrap();
        usize::try_from(self.roll() % limit).unwrap()
    }

    /// A time between these, in whole milliseconds.
    pub fn between(&mut self, least: Duration, most: Duration) -> Duration {
        least + self.up_to(most.saturating_sub(least))
    }

    fn up_to(&mut self, most: Duration) -> Duration {
        let most_ms = u64::try_from(most.as_millis()).unwrap();
        Duration::from_millis(self.roll() % (most_ms + 1))
    }
}
