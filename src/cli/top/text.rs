//! Text that fits a width: wrapped between words, or item after item. Pure.

use ratatui::text::{Line, Span};

/// Columns that a text takes.
pub(super) fn width(text: &str) -> usize {
    Span::raw(text).width()
}

/// The text in lines of at most `most` columns. Its own line breaks stay, and lines that fit; later lines begin with
/// its indentation. A word that is too long is cut into pieces.
pub(super) fn wrapped(text: &str, most: usize) -> Vec<String> {
    if most == 0 {
        return Vec::new();
    }
    text.lines().flat_map(|line| wrapped_line(line, most)).collect()
}

fn wrapped_line(line: &str, most: usize) -> Vec<String> {
    if width(line) <= most {
        return vec![line.to_owned()];
    }
    let indent: String = line.chars().take_while(|c| *c == ' ').take(most / 2).collect();
    let (mut lines, mut current) = (Vec::new(), indent.clone());
    for word in line.split(' ').filter(|word| !word.is_empty()) {
        let is_first = current.len() == indent.len();
        let gap = usize::from(!is_first);
        if !is_first && width(&current).saturating_add(gap).saturating_add(width(word)) > most {
            lines.push(std::mem::replace(&mut current, indent.clone()));
        } else if !is_first {
            current.push(' ');
        }
        for letter in word.chars() {
            let mut piece = [0; 4];
            if width(&current).saturating_add(width(letter.encode_utf8(&mut piece))) > most {
                lines.push(std::mem::replace(&mut current, indent.clone()));
            }
            current.push(letter);
        }
    }
    lines.push(current);
    lines
}

/// The text cut or filled to this many columns.
pub(super) fn fitted(text: &str, columns: usize) -> String {
    let mut shown = String::new();
    for letter in text.chars().filter(|letter| !letter.is_control()) {
        shown.push(letter);
        if width(&shown) > columns {
            shown.pop();
            break;
        }
    }
    let missing = columns.saturating_sub(width(&shown));
    shown.extend(std::iter::repeat_n(' ', missing));
    shown
}

/// The items in lines of at most `most` columns, two spaces apart. An item is not broken.
pub(super) fn flowed<'a>(items: Vec<Span<'a>>, most: usize) -> Vec<Line<'a>> {
    let mut lines = vec![Line::default()];
    for item in items {
        let Some(line) = lines.last_mut() else { break };
        let before = line.width();
        if before == 0 {
            line.push_span(item);
        } else if before.saturating_add(2).saturating_add(item.width()) <= most {
            line.push_span(Span::raw("  "));
            line.push_span(item);
        } else {
            lines.push(Line::from(vec![Span::raw("  "), item]));
        }
    }
    lines
}
