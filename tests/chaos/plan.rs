//! Pure: which faults happen in which round, and for how long. Everything follows from the seed.

use std::time::Duration;

use crate::support::proxy::Dice;
use crate::table::{Fault, Part};

/// One fault of a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Happening {
    pub fault: Fault,
    /// After the beginning of the round.
    pub after: Duration,
    pub lasts: Duration,
    /// How many of a hundred connections are hit, old and new.
    pub percent: u8,
}

/// How many faults a round has, and how long they last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    pub shortest: Duration,
    pub longest: Duration,
    /// Whether a second fault, of another part, may happen at the same time.
    pub in_pairs: bool,
}

impl Pace {
    pub const SHORT: Self =
        Self { shortest: Duration::from_millis(800), longest: Duration::from_millis(2_200), in_pairs: false };
    pub const LONG: Self =
        Self { shortest: Duration::from_millis(1_500), longest: Duration::from_secs(9), in_pairs: true };
}

/// The rounds of a run. Each pass over the deck has every fault once, in another order; the parts take turns.
pub struct Plan {
    faults: Vec<Fault>,
    deck: Vec<Fault>,
    parts: [Part; 4],
    passes: u64,
    pace: Pace,
    dice: Dice,
}

impl Plan {
    pub fn new(seed: u64, faults: Vec<Fault>, pace: Pace) -> Self {
        assert!(!faults.is_empty(), "no fault has this name");
        Self { faults, deck: Vec::new(), parts: Part::ALL, passes: 0, pace, dice: Dice::new(seed) }
    }

    /// The next round.
    pub fn round(&mut self) -> Vec<Happening> {
        if self.deck.is_empty() {
            self.deck = self.faults.clone();
            self.passes += 1;
        }
        let first = self.draw();
        let mut round = vec![self.happening(first)];
        // The first pass shows what each fault does alone.
        if self.pace.in_pairs && self.passes > 1 && self.dice.below(2) == 0 {
            let others: Vec<Fault> =
                self.faults.iter().copied().filter(|other| other.part() != first.part()).collect();
            if !others.is_empty() {
                let second = others[self.dice.below(others.len())];
                round.push(self.happening(second));
                // The shorter one begins while the longer one lasts.
                round.sort_by_key(|happening| happening.lasts);
                round[0].after = self.dice.between(Duration::ZERO, round[1].lasts);
            }
        }
        round
    }

    /// Takes a fault of the next part that has one: so a short run has some of each part.
    fn draw(&mut self) -> Fault {
        loop {
            self.parts.rotate_left(1);
            let next = self.parts[0];
            let of_next: Vec<usize> =
                (0..self.deck.len()).filter(|at| self.deck[*at].part() == next).collect();
            if !of_next.is_empty() {
                return self.deck.swap_remove(of_next[self.dice.below(of_next.len())]);
            }
        }
    }

    fn happening(&mut self, fault: Fault) -> Happening {
        let lasts = self.dice.between(self.pace.shortest, self.pace.longest);
        let lasts = if fault.is_sudden() { Duration::ZERO } else { lasts };
        let percent = if self.dice.below(2) == 0 { 100 } else { 50 };
        Happening { fault, after: Duration::ZERO, lasts, percent }
    }
}

#[test]
fn a_seed_repeats_its_rounds_and_a_pass_has_every_fault_once() {
    let rounds = |seed| {
        let mut plan = Plan::new(seed, Fault::all(), Pace::LONG);
        (0..3 * Fault::all().len()).map(|_| plan.round()).collect::<Vec<_>>()
    };
    let overlap = |round: &Vec<Happening>| round[0].after <= round[1].lasts;
    assert_eq!(rounds(7), rounds(7));
    assert_ne!(rounds(7), rounds(8));
    let (first_pass, later) = (&rounds(7)[..Fault::all().len()], &rounds(7)[Fault::all().len()..]);
    for fault in Fault::all() {
        assert_eq!(first_pass.iter().filter(|round| round[0].fault == fault).count(), 1, "{fault}");
    }
    assert!(first_pass.iter().all(|round| round.len() == 1));
    let begins: Vec<Part> = first_pass[..4].iter().map(|round| round[0].fault.part()).collect();
    assert!(Part::ALL.iter().all(|part| begins.contains(part)), "{begins:?}");
    let pairs: Vec<_> = later.iter().filter(|round| round.len() == 2).collect();
    assert!(pairs.len() > later.len() / 4, "{}", pairs.len());
    assert!(pairs.iter().all(|pair| pair[0].fault.part() != pair[1].fault.part() && overlap(pair)));
}
