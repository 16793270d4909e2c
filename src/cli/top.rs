//! `precall top`: the live board in a terminal. A client of the API, like `precall status`.

mod draw;
mod picture;
mod rows;
mod terminal;
mod text;
mod view;
mod watch;

use std::io::{self, Write as _};
use std::rc::Rc;
use std::time::Duration;

use precall_base::redact::hide;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use serde_json::{Value, json};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};

use self::draw::{as_text, draw};
use self::picture::Picture;
use self::rows::rows;
use self::terminal::{Input, Screen, inputs, is_there};
use self::view::{Order, View};
use super::live_answer::Live;
use super::service::{Service, Session, failed, in_url, now};
use super::{Exit, unusable, why};

/// The longest wait for an answer.
const WITHIN: Duration = Duration::from_secs(5);
/// How often the board is drawn when nothing happens, for the ages.
const REDRAW: Duration = Duration::from_millis(500);

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Print one picture as text, and end
    #[arg(long)]
    once: bool,
    /// Columns of that picture
    #[arg(long, requires = "once", default_value_t = 120, value_parser = clap::value_parser!(u16).range(1..=1000))]
    width: u16,
    /// Lines of that picture
    #[arg(long, requires = "once", default_value_t = 40, value_parser = clap::value_parser!(u16).range(1..=1000))]
    height: u16,
    #[command(flatten)]
    service: Service,
}

pub(super) async fn run(arguments: Arguments) -> Exit {
    if !arguments.once && !is_there() {
        return unusable(
            &"top needs a terminal: use `precall status --json`, or `precall top --once` for one picture as text",
        );
    }
    let session = match arguments.service.session(WITHIN) {
        Ok(session) => Rc::new(session.masked()),
        Err(exit) => return exit,
    };
    let first = session.get::<Live>("live").await;
    match first {
        Ok(live) if arguments.once => once(&session, live, arguments.width, arguments.height).await,
        // Waiting does not help against a wrong key.
        Err(refusal) if arguments.once || matches!(refusal.status, Some(401 | 403)) => failed(&refusal.words),
        Ok(_) | Err(_) => match follow(&session).await {
            Ok(()) => Exit::Good,
            Err(error) => failed(&format!("the terminal cannot be used: {error}")),
        },
    }
}

/// Prints one picture. An error or a service that takes no calls counts as something found wrong, as with `status`.
async fn once(session: &Session, live: Live, width: u16, height: u16) -> Exit {
    let is_well = live.health.is_well();
    let mut picture = Picture::of(session.base());
    for news in watch::look(session, live).await {
        picture.take(news, now());
    }
    let mut buffer = Buffer::empty(Rect::new(0, 0, width, height));
    draw(buffer.area, &mut buffer, &picture, &View::default(), now());
    let mut out = io::stdout();
    match out.write_all(as_text(&buffer).as_bytes()).and_then(|()| out.flush()) {
        Ok(()) if is_well => Exit::Good,
        Ok(()) => Exit::Failed,
        Err(error) => failed(&format!("the picture cannot be printed: {error}")),
    }
}

/// What came of an order.
enum Done {
    /// The story of this call, or why there is none.
    Why(String, String),
    /// A sentence about a hang-up.
    HangUp(String),
}

/// Shows the board until a person or a signal ends it.
async fn follow(session: &Rc<Session>) -> io::Result<()> {
    let mut signals = Signals::receive()?;
    let mut screen = Screen::open()?;
    let (mut news, mut inputs) = (watch::watch(session), inputs());
    let (tell, mut done) = mpsc::channel(16);
    let (mut picture, mut view) = (Picture::of(session.base()), View::default());
    let mut ticks = interval(REDRAW);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        screen.draw(|frame| draw(frame.area(), frame.buffer_mut(), &picture, &view, now()))?;
        tokio::select! {
            () = signals.asked_to_stop() => return Ok(()),
            input = inputs.recv() => match input {
                Some(Input::Key(key)) => {
                    let rows = rows(&picture, view.sort, view.only_failed, picture.now(now()));
                    match view.press(key, &rows) {
                        Some(Order::Quit) => return Ok(()),
                        Some(order) => obey(session, order, tell.clone()),
                        None => {}
                    }
                }
                Some(Input::Resized) => {}
                Some(Input::Gone(error)) => return Err(error),
                None => return Err(io::Error::other("no more keys can be read")),
            },
            Some(news) = news.recv() => picture.take(news, now()),
            Some(done) = done.recv() => match done {
                Done::Why(call, text) => view.tell(&call, text),
                Done::HangUp(said) => view.note = Some(said),
            },
            _ = ticks.tick() => {}
        }
    }
}

/// Carries an order out, beside the board.
fn obey(session: &Rc<Session>, order: Order, tell: mpsc::Sender<Done>) {
    let session = Rc::clone(session);
    actix_rt::spawn(async move {
        let done = match order {
            Order::Quit => return,
            Order::AskWhy(call) => {
                let told = story(&session, &call).await;
                Done::Why(call, told)
            }
            Order::HangUp(call) => Done::HangUp(hang_up(&session, &call).await),
        };
        // Closed when the board is over.
        let _over = tell.send(done).await;
    });
}

/// The board may hang on a wall, so the story has no whole number.
async fn story(session: &Session, call: &str) -> String {
    match why::with_id(session, &in_url(call)).await {
        Ok(known) => match known.story() {
            Ok(story) => hide(&story).into_owned(),
            Err(error) => format!("The answer cannot be read: {error}"),
        },
        Err(refusal) => refusal.words,
    }
}

async fn hang_up(session: &Session, call: &str) -> String {
    match session.post::<Value>(&format!("calls/{}/hangup", in_url(call)), &json!({})).await {
        Ok(_) => format!("{call} is told to end."),
        Err(refusal) if refusal.status == Some(403) => {
            "This key may not hang up: it needs the scope operate (`precall keys new --scope operate`)."
                .to_owned()
        }
        Err(refusal) => refusal.words,
    }
}

/// What ends the board from outside.
struct Signals([Signal; 3]);

impl Signals {
    fn receive() -> io::Result<Self> {
        let kinds = [SignalKind::terminate(), SignalKind::interrupt(), SignalKind::hangup()];
        let [terminate, interrupt, hangup] = kinds.map(signal);
        Ok(Self([terminate?, interrupt?, hangup?]))
    }

    async fn asked_to_stop(&mut self) {
        let [terminate, interrupt, hangup] = &mut self.0;
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            _ = hangup.recv() => {}
        }
    }
}

#[cfg(test)]
mod tests;
