//! What the person at the keyboard chose: a row, an order, a pane. Pure: keys in, orders out.

use super::rows::{Row, Sort};

/// A key, as far as the board has a use for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    Up,
    Down,
    PageUp,
    PageDown,
    First,
    Last,
    Enter,
    Escape,
    /// Ctrl-C.
    Interrupt,
    Letter(char),
}

/// What the board does for a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Quit,
    /// Read the story of this call.
    AskWhy(String),
    /// End this call.
    HangUp(String),
}

/// What lies over the table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Pane {
    #[default]
    None,
    Help,
    /// The story of a call; no text: it was asked for.
    Why {
        call: String,
        text: Option<String>,
        scroll: usize,
    },
    /// Waits for y or n.
    HangUp {
        call: String,
        caller: String,
    },
}

/// The choices.
#[derive(Debug, Default)]
pub(super) struct View {
    pub(super) only_failed: bool,
    pub(super) sort: Sort,
    pub(super) pane: Pane,
    /// What came of the last order.
    pub(super) note: Option<String>,
    /// Id of the chosen call.
    pub(super) chosen: Option<String>,
    /// Its row when it was last seen: the choice stays there when the call is gone.
    pub(super) place: usize,
}

/// Rows of a page.
const PAGE: usize = 10;

impl View {
    /// The row that is chosen among these; `None` if there is no row.
    pub(super) fn chosen(&self, rows: &[Row]) -> Option<usize> {
        let last = rows.len().checked_sub(1)?;
        let of = |id: &String| rows.iter().position(|row| row.id == *id);
        Some(self.chosen.as_ref().and_then(of).unwrap_or(self.place).min(last))
    }

    /// A key was pressed, with these rows on the board.
    pub(super) fn press(&mut self, key: Key, rows: &[Row]) -> Option<Order> {
        if key == Key::Interrupt {
            return Some(Order::Quit);
        }
        self.note = None;
        match &mut self.pane {
            Pane::None => self.on_table(key, rows),
            Pane::Help => {
                self.pane = Pane::None;
                None
            }
            Pane::Why { scroll, .. } => {
                match key {
                    Key::Down | Key::Letter('j') => *scroll = scroll.saturating_add(1),
                    Key::Up | Key::Letter('k') => *scroll = scroll.saturating_sub(1),
                    Key::PageDown => *scroll = scroll.saturating_add(PAGE),
                    Key::PageUp => *scroll = scroll.saturating_sub(PAGE),
                    Key::First | Key::Letter('g') => *scroll = 0,
                    Key::Escape | Key::Enter | Key::Letter('q') => self.pane = Pane::None,
                    Key::Interrupt | Key::Last | Key::Letter(_) => {}
                }
                None
            }
            Pane::HangUp { call, .. } => {
                let order = (key == Key::Letter('y')).then(|| Order::HangUp(call.clone()));
                self.note = order.is_none().then(|| "The call goes on.".to_owned());
                self.pane = Pane::None;
                order
            }
        }
    }

    fn on_table(&mut self, key: Key, rows: &[Row]) -> Option<Order> {
        let at = self.chosen(rows);
        match key {
            Key::Escape | Key::Letter('q') => return Some(Order::Quit),
            Key::Down | Key::Letter('j') => self.choose(rows, at.map(|at| at.saturating_add(1))),
            Key::Up | Key::Letter('k') => self.choose(rows, at.map(|at| at.saturating_sub(1))),
            Key::PageDown => self.choose(rows, at.map(|at| at.saturating_add(PAGE))),
            Key::PageUp => self.choose(rows, at.map(|at| at.saturating_sub(PAGE))),
            Key::First | Key::Letter('g') => self.choose(rows, Some(0)),
            Key::Last | Key::Letter('G') => self.choose(rows, Some(usize::MAX)),
            Key::Letter('f') => self.only_failed = !self.only_failed,
            Key::Letter('s') => self.sort = self.sort.next(),
            Key::Letter('?') => self.pane = Pane::Help,
            Key::Enter => {
                let row = rows.get(at?)?;
                self.choose(rows, at);
                self.pane = Pane::Why { call: row.id.clone(), text: None, scroll: 0 };
                return Some(Order::AskWhy(row.id.clone()));
            }
            Key::Letter('h') => {
                let row = rows.get(at?)?;
                self.choose(rows, at);
                if row.is_live() {
                    self.pane = Pane::HangUp { call: row.id.clone(), caller: row.caller().to_owned() };
                } else {
                    self.note = Some("This call is over.".to_owned());
                }
            }
            Key::Interrupt | Key::Letter(_) => {}
        }
        None
    }

    fn choose(&mut self, rows: &[Row], at: Option<usize>) {
        let Some((at, last)) = at.zip(rows.len().checked_sub(1)) else { return };
        self.place = at.min(last);
        self.chosen = rows.get(self.place).map(|row| row.id.clone());
    }

    /// The story of a call came, or why there is none. It is dropped if its pane was closed.
    pub(super) fn tell(&mut self, of: &str, told: String) {
        if let Pane::Why { call, text, .. } = &mut self.pane
            && call == of
        {
            *text = Some(told);
        }
    }
}
