//! Callers: numbers reserved for fiction (555-0100 to 555-0199) in every area code that the dial guard accepts.
//! Thousands of different callers, none of them a real subscriber.

use precall_base::phone_number::{E164, NumberKind, Region};

use super::Outcome;

const PER_AREA: usize = 99;

/// A supply of callers. Each is handed out once.
pub struct Callers {
    areas: Vec<u32>,
    next: usize,
}

impl Callers {
    /// About 30,000 callers.
    pub fn new() -> Outcome<Self> {
        let us: Region = "US".parse()?;
        let is_usable = |area: &u32| {
            let number: Option<E164> = format!("+1{area}5550100").parse().ok();
            number.is_some_and(|number| {
                number.region() == Some(us) && number.kind() == NumberKind::FixedLineOrMobile
            })
        };
        let areas: Vec<u32> = (201..990).filter(is_usable).collect();
        if areas.len() < 100 {
            return Err(format!("only {} area codes can be used", areas.len()).into());
        }
        Ok(Self { areas, next: 0 })
    }

    /// The next `count` callers. None has called before.
    pub fn take(&mut self, count: usize) -> Outcome<Vec<String>> {
        let first = self.next;
        self.next = first.saturating_add(count);
        (first..self.next).map(|i| self.number(i).ok_or_else(|| "there are no more callers".into())).collect()
    }

    /// All callers, to insert them into tables beforehand.
    pub fn all(&self) -> Vec<String> {
        (0..self.areas.len().saturating_mul(PER_AREA)).filter_map(|i| self.number(i)).collect()
    }

    fn number(&self, i: usize) -> Option<String> {
        let area = self.areas.get(i / PER_AREA)?;
        Some(format!("+1{area}55501{:02}", i % PER_AREA))
    }
}
