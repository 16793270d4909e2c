//! The terminal: taken for the board, and given back however the board ends.

use std::io::{self, IsTerminal};
use std::time::Duration;

use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyModifiers};
use tokio::sync::mpsc;

use super::view::Key;

/// How often the thread that reads keys looks whether the board is over.
const LOOK: Duration = Duration::from_millis(200);

/// Whether somebody can look at the output, and press a key.
pub(super) fn is_there() -> bool {
    io::stdout().is_terminal() && io::stdin().is_terminal()
}

/// The terminal in raw mode, on its second screen. Dropping it gives the terminal back; so does a panic.
pub(super) struct Screen(DefaultTerminal);

impl Screen {
    /// Takes the terminal.
    pub(super) fn open() -> io::Result<Self> {
        match ratatui::try_init() {
            Ok(terminal) => Ok(Self(terminal)),
            Err(error) => {
                let _half_open = ratatui::try_restore();
                Err(error)
            }
        }
    }

    /// Draws a frame.
    pub(super) fn draw(&mut self, draw: impl FnOnce(&mut ratatui::Frame<'_>)) -> io::Result<()> {
        self.0.draw(draw).map(|_| ())
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // The terminal may be gone.
        let _gone = ratatui::try_restore();
        let _gone = self.0.show_cursor();
    }
}

/// What a person did at the terminal.
pub(super) enum Input {
    Key(Key),
    /// The terminal has another size.
    Resized,
    /// The terminal is gone.
    Gone(io::Error),
}

/// Keys and changes of size, until the receiver is dropped. Reading them blocks, so a thread does it.
pub(super) fn inputs() -> mpsc::Receiver<Input> {
    let (tell, inputs) = mpsc::channel(64);
    std::thread::spawn(move || {
        loop {
            let read = event::poll(LOOK).and_then(|is_there| is_there.then(event::read).transpose());
            let input = match read {
                Ok(Some(event)) => input(&event),
                Ok(None) => None,
                Err(error) => {
                    let _over = tell.blocking_send(Input::Gone(error));
                    return;
                }
            };
            if let Some(input) = input
                && tell.blocking_send(input).is_err()
            {
                return;
            }
            if tell.is_closed() {
                return;
            }
        }
    });
    inputs
}

fn input(event: &Event) -> Option<Input> {
    match event {
        Event::Key(key) if key.is_press() => key_of(key).map(Input::Key),
        Event::Resize(..) => Some(Input::Resized),
        Event::Key(_) | Event::FocusGained | Event::FocusLost | Event::Mouse(_) | Event::Paste(_) => None,
    }
}

fn key_of(key: &KeyEvent) -> Option<Key> {
    let is_control = key.modifiers.contains(KeyModifiers::CONTROL);
    Some(match key.code {
        KeyCode::Char('c') if is_control => Key::Interrupt,
        KeyCode::Char(letter) if !is_control => Key::Letter(letter),
        KeyCode::Up => Key::Up,
        KeyCode::Down => Key::Down,
        KeyCode::PageUp => Key::PageUp,
        KeyCode::PageDown => Key::PageDown,
        KeyCode::Home => Key::First,
        KeyCode::End => Key::Last,
        KeyCode::Enter => Key::Enter,
        KeyCode::Esc => Key::Escape,
        _ => return None,
    })
}
