//! Draws the board: a picture of the service, what the person chose, and a size make cells. Pure: rules, no terminal.

use jiff::Timestamp;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Clear, Paragraph, Widget};

use super::picture::Picture;
use super::rows::{Column, Mark, Row, rows};
use super::text::{fitted, flowed, width, wrapped};
use super::view::{Pane, View};
use crate::cli::live_answer::{Health, Live, Measure, Problem, by_cause, by_state};
use crate::span::short;

/// Areas of `/health` that have problems but no field of their own.
const AREAS: [&str; 11] = [
    "bypass",
    "clone",
    "handoff",
    "greeting",
    "prompts",
    "agent",
    "webhooks",
    "storage",
    "host",
    "alerts",
    "configuration",
];
/// Widest cell of the table, without the id of the call.
const CELL_MOST: usize = 32;
/// The figure of a resource that ElevenLabs told longer ago than this is marked as old.
const OLD_AFTER_SECONDS: u64 = 900;

const HELP: &str = "\
j k, arrows      choose a call
PgUp PgDn g G    a page, the first, the last
Enter            what happened to the call, as `precall why` says it
f                only calls that failed
s                sort by age, deadline, state or line
h                hang up the call (asks first; the key needs the scope operate)
q, Esc           quit, or close a pane

Calls that ended in the last five minutes stand below the live ones. x marks a call that failed, ! a call whose \
deadline passes within five seconds. \"for\" is how long a call is in its state.";

fn good() -> Style {
    Style::new().fg(Color::Green)
}

fn warning() -> Style {
    Style::new().fg(Color::Yellow)
}

fn bad() -> Style {
    Style::new().fg(Color::Red).add_modifier(Modifier::BOLD)
}

fn faint() -> Style {
    Style::new().fg(Color::DarkGray)
}

/// Draws the board into this area of the buffer. `here` is the time by this host's clock.
pub(super) fn draw(area: Rect, buffer: &mut Buffer, picture: &Picture, view: &View, here: Timestamp) {
    let area = area.intersection(buffer.area);
    if area.is_empty() {
        return;
    }
    let now = picture.now(here);
    let (body, foot) = split_below(area, area.height.saturating_sub(1));
    let rows = rows(picture, view.sort, view.only_failed, now);
    let head = head(picture, usize::from(area.width), here);
    // The table keeps a third of the height.
    let most = body.height.saturating_sub((body.height / 3).max(1));
    let (top, table) = split_below(body, lines_of(head.len()).min(most));
    Paragraph::new(cut(head, usize::from(top.height))).render(top, buffer);
    draw_table(table, buffer, &rows, view);
    Paragraph::new(footer(view)).render(foot, buffer);
    match &view.pane {
        Pane::None | Pane::HangUp { .. } => {}
        Pane::Help => draw_pane(body, buffer, "Keys", HELP, 0),
        Pane::Why { call, text, scroll } => {
            let text = text.as_deref().unwrap_or("asking...");
            draw_pane(body, buffer, &format!("precall why {call}"), text, *scroll);
        }
    }
    if picture.silence.is_some() {
        // The last picture is not now.
        buffer.set_style(table, faint());
    }
}

/// The cells as lines of text, for `--once`.
pub(super) fn as_text(buffer: &Buffer) -> String {
    let columns = usize::from(buffer.area.width).max(1);
    let line = |cells: &[ratatui::buffer::Cell]| {
        let text: String = cells.iter().map(ratatui::buffer::Cell::symbol).collect();
        format!("{}\n", text.trim_end())
    };
    buffer.content.chunks(columns).map(line).collect()
}

fn lines_of(count: usize) -> u16 {
    u16::try_from(count).unwrap_or(u16::MAX)
}

fn split_below(area: Rect, height: u16) -> (Rect, Rect) {
    let height = height.min(area.height);
    let rest = Rect { y: area.y.saturating_add(height), height: area.height.saturating_sub(height), ..area };
    (Rect { height, ..area }, rest)
}

/// At most so many lines; the last one says what is missing.
fn cut(mut lines: Vec<Line<'_>>, most: usize) -> Vec<Line<'_>> {
    let missing = lines.len().saturating_sub(most);
    if missing > 0 && most > 1 {
        lines.truncate(most.saturating_sub(1));
        let missing = missing.saturating_add(1);
        lines.push(Line::styled(format!("{missing} more lines: make the terminal higher"), faint()));
    }
    lines
}

/// All that stands above the table.
fn head(picture: &Picture, columns: usize, here: Timestamp) -> Vec<Line<'_>> {
    let mut lines = Vec::new();
    if let Some(silence) = &picture.silence {
        let since = short(here.duration_since(silence.since));
        let old = match &picture.live {
            Some(live) => {
                format!("What you see is old: it is from {}.", live.now.strftime("%H:%M:%S UTC"))
            }
            None => "Nothing is known yet.".to_owned(),
        };
        let said = format!("precall does not answer for {since}. {old} Trying again. {}", silence.words);
        lines.extend(wrapped(&said, columns).into_iter().map(|line| Line::styled(line, bad())));
    }
    let Some(live) = &picture.live else {
        if picture.silence.is_none() {
            lines.push(Line::raw(format!("asking {}...", picture.address)));
        }
        return lines;
    };
    lines.extend(lights(&live.health, columns));
    for problem in &live.health.problems {
        lines.extend(problem_lines(problem, live.now, columns));
    }
    lines.extend(flowed(on_the_line(live), columns));
    lines.extend(flowed(failures(picture), columns));
    lines.extend(flowed(capacity(&live.health), columns));
    lines.push(title(live, picture, columns));
    lines
}

fn title<'a>(live: &Live, picture: &Picture, columns: usize) -> Line<'a> {
    let said = format!(
        "precall {} at {}, {}",
        live.health.version,
        picture.address,
        live.now.strftime("%Y-%m-%d %H:%M:%S UTC")
    );
    Line::styled(fitted(&said, columns), faint())
}

/// A light each: green and a dot, yellow and a triangle, red and a cross.
fn lights(health: &Health, columns: usize) -> Vec<Line<'static>> {
    let light = |name: &str, value: &str| {
        let (mark, style) = match value {
            "ok" => ("\u{25cf}", good()),
            "not_configured" | "none" | "unknown" => ("\u{25cb}", faint()),
            "error" | "full" => ("\u{2716}", bad()),
            _ => ("\u{25b2}", warning()),
        };
        let value = value.replace('_', " ");
        Span::styled(format!("{mark} {name} {value}").trim_end().to_owned(), style)
    };
    let service = if health.is_well() { health.status.as_str() } else { "error" };
    let mut items = vec![
        Span::styled(format!("precall {}", health.takes()), if health.is_well() { good() } else { bad() }),
        light("precall", service),
        light("database", &health.database),
        light("ElevenLabs", &health.elevenlabs),
        light("3CX", &health.threecx),
        light("spool", &health.spool),
    ];
    items.extend(AREAS.iter().map(|area| {
        let has_problem = health.problems.iter().any(|problem| problem.area == *area);
        light(area, if has_problem { "error" } else { "ok" })
    }));
    flowed(items, columns)
}

fn problem_lines(problem: &Problem, now: Timestamp, columns: usize) -> Vec<Line<'static>> {
    let mut said = format!("{}: {}", problem.area, problem.words);
    if let Some(since) = problem.since {
        said.push_str(&format!(" (for {})", short(now.duration_since(since))));
    }
    if problem.failed > 0 {
        let all = problem.failed.saturating_add(problem.succeeded);
        said.push_str(&format!(", {} of {all} in ten minutes", problem.failed));
    }
    let mut lines: Vec<Line> =
        wrapped(&said, columns).into_iter().map(|line| Line::styled(line, bad())).collect();
    let mut remedy = format!("  To do: {}", problem.remedy);
    if let Some(call) = &problem.call {
        remedy.push_str(&format!(" The last call: {call}"));
    }
    lines.extend(wrapped(&remedy, columns).into_iter().map(Line::raw));
    lines
}

fn on_the_line(live: &Live) -> Vec<Span<'static>> {
    let states = by_state(&live.items)
        .into_iter()
        .map(|(state, count)| Span::raw(format!("{count} {}", state.replace('_', " "))));
    let count = Span::styled(format!("On the line: {}", live.items.len()), Modifier::BOLD);
    [count].into_iter().chain(states).collect()
}

fn failures(picture: &Picture) -> Vec<Span<'static>> {
    let head = |said: String| Span::styled(said, Modifier::BOLD);
    let Some(failures) = &picture.failures else {
        return vec![head("Failed in the last hour: not known, the database does not answer".to_owned())];
    };
    let causes = by_cause(failures).into_iter().map(|((cause, blame), count)| {
        Span::styled(format!("{count} {} ({blame})", cause.replace('_', " ")), warning())
    });
    let count = head(format!("Failed in the last hour: {}", failures.len()));
    [count].into_iter().chain(causes).collect()
}

fn capacity(health: &Health) -> Vec<Span<'static>> {
    let measures = health.measures().into_iter().map(|(what, measure)| {
        let Measure { used, limit, age_seconds } = measure;
        let (used, limit) = (used.unwrap_or_default(), limit.unwrap_or_default());
        let age = age_seconds.map_or_else(String::new, |age| {
            let age = jiff::SignedDuration::from_secs(i64::try_from(age).unwrap_or(i64::MAX));
            format!(", told {} ago", short(age))
        });
        let is_old = age_seconds.is_some_and(|age| age > OLD_AFTER_SECONDS);
        let style = if used >= limit {
            bad()
        } else if is_old {
            warning()
        } else {
            Style::new()
        };
        Span::styled(format!("{what} {used} of {limit}{age}"), style)
    });
    [Span::styled("Capacity:", Modifier::BOLD)].into_iter().chain(measures).collect()
}

fn footer(view: &View) -> Line<'static> {
    if let Pane::HangUp { call, caller } = &view.pane {
        return Line::styled(format!("Hang up the call of {caller}? y/n  ({call})"), bad());
    }
    if let Some(note) = &view.note {
        return Line::styled(note.clone(), Modifier::BOLD);
    }
    let failed = if view.only_failed { "f all calls" } else { "f only failed" };
    let said = format!("q quit  Enter why  h hang up  {failed}  s sort (by {})  ? help", view.sort.name());
    Line::styled(said, faint())
}

/// The columns that fit, in the order of the table, with their widths.
fn columns_of(rows: &[Row], columns: usize) -> Vec<(Column, usize)> {
    let wanted = |column: Column| {
        let most = if column == Column::Id { usize::MAX } else { CELL_MOST };
        let cells = rows.iter().map(|row| width(row.cell(column))).max().unwrap_or(0);
        cells.max(width(column.title())).max(column.least()).min(most)
    };
    // The mark and a space.
    let mut left = columns.saturating_sub(2);
    let mut fitting = Vec::new();
    for column in Column::BY_WEIGHT {
        let needs = wanted(column).saturating_add(if fitting.is_empty() { 0 } else { 2 });
        if needs > left && !fitting.is_empty() {
            break;
        }
        left = left.saturating_sub(needs);
        fitting.push(column);
    }
    let shown = Column::ALL.into_iter().filter(|column| fitting.contains(column));
    shown.map(|column| (column, wanted(column))).collect()
}

fn draw_table(area: Rect, buffer: &mut Buffer, rows: &[Row], view: &View) {
    if area.is_empty() {
        return;
    }
    let columns = columns_of(rows, usize::from(area.width));
    let titles: Vec<String> =
        columns.iter().map(|(column, columns)| fitted(column.title(), *columns)).collect();
    let mut lines = vec![Line::styled(
        format!("  {}", titles.join("  ")),
        Style::new().add_modifier(Modifier::UNDERLINED),
    )];
    let height = usize::from(area.height).saturating_sub(1);
    let chosen = view.chosen(rows);
    let first = chosen.unwrap_or(0).saturating_add(1).saturating_sub(height);
    if rows.is_empty() {
        let said = if view.only_failed { "  no failed calls in the last minutes" } else { "  no calls" };
        lines.push(Line::styled(said, faint()));
    }
    for (index, row) in rows.iter().enumerate().skip(first).take(height) {
        let (mark, mut style) = match row.mark {
            Mark::Live => (" ", Style::new()),
            Mark::Urgent => ("!", warning()),
            Mark::Ended => (" ", faint()),
            Mark::Failed => ("x", bad()),
        };
        if Some(index) == chosen {
            style = style.add_modifier(Modifier::REVERSED);
        }
        let cells: Vec<String> =
            columns.iter().map(|(column, columns)| fitted(row.cell(*column), *columns)).collect();
        lines.push(Line::styled(format!("{mark} {}", cells.join("  ")), style));
    }
    Paragraph::new(lines).render(area, buffer);
}

fn draw_pane(area: Rect, buffer: &mut Buffer, title: &str, text: &str, scroll: usize) {
    Clear.render(area, buffer);
    // A frame takes two lines and two columns, which a small terminal does not have.
    let has_frame = area.height >= 5 && area.width >= 20;
    let inner = if has_frame {
        let block = Block::bordered().title(format!(" {title} "));
        let inner = block.inner(area);
        block.render(area, buffer);
        inner
    } else {
        area
    };
    let lines = wrapped(text, usize::from(inner.width));
    // The last page stays full.
    let first = scroll.min(lines.len().saturating_sub(usize::from(inner.height)));
    let shown: Vec<Line> =
        lines.into_iter().skip(first).take(usize::from(inner.height)).map(Line::raw).collect();
    Paragraph::new(shown).render(inner, buffer);
}
