//! How a file of callers is written: its encoding, its separator, its line ends.

use std::borrow::Cow;

use precall_base::invisible::trimmed;

const BOM: &[u8] = b"\xef\xbb\xbf";
/// Separators that spreadsheets write. The first wins where two are as frequent.
const SEPARATORS: [u8; 3] = [b',', b';', b'\t'];
/// Excel reads the separator from a first line `sep=;`.
const SEPARATOR_LINE: &[u8] = b"sep=";

/// A file as it is to be read.
pub(super) struct Dialect<'b> {
    /// Without a byte order mark.
    pub(super) text: Cow<'b, [u8]>,
    pub(super) separator: u8,
}

impl<'b> Dialect<'b> {
    /// Looks at the start of the file.
    ///
    /// # Errors
    /// What the file is, when it is no text in UTF-8.
    pub(super) fn of(bytes: &'b [u8]) -> Result<Self, &'static str> {
        let mut text = bytes;
        // A program that adds a mark to a file that has one leaves two.
        while let Some(rest) = text.strip_prefix(BOM) {
            text = rest;
        }
        match text {
            [0xff, 0xfe, ..] | [0xfe, 0xff, ..] | [_, 0, ..] | [0, _, ..] => {
                return Err("the file is UTF-16: save it as CSV UTF-8");
            }
            [b'P', b'K', 3, 4, ..] => {
                return Err("the file is a workbook of a spreadsheet: save it as CSV UTF-8");
            }
            [0xd0, 0xcf, 0x11, 0xe0, ..] => {
                return Err("the file is an old workbook of Excel: save it as CSV UTF-8");
            }
            _ => {}
        }
        let mut text = Cow::Borrowed(text);
        if !text.contains(&b'\n') && text.contains(&b'\r') {
            // Else all of it would be one line.
            text.to_mut().iter_mut().filter(|byte| **byte == b'\r').for_each(|byte| *byte = b'\n');
        }
        let mut lines = text.split(|byte| *byte == b'\n').filter(|line| !is_blank_line(line));
        let first = lines.next().unwrap_or_default();
        let separator = separator_line(first).unwrap_or_else(|| most_frequent(first));
        Ok(Self { text, separator })
    }
}

/// The separator that a line `sep=;` names.
fn separator_line(line: &[u8]) -> Option<u8> {
    let line = line.trim_ascii_end();
    let line = line.strip_prefix(b"\"").unwrap_or(line);
    let (name, rest) = line.split_at_checked(SEPARATOR_LINE.len())?;
    // A tab at the end was trimmed away.
    let separator = rest.first().copied().unwrap_or(b'\t');
    let is_all =
        rest.get(1..).unwrap_or_default().iter().all(|byte| matches!(byte, b'"' | b',' | b';' | b'\t'));
    (name.eq_ignore_ascii_case(SEPARATOR_LINE) && is_all && SEPARATORS.contains(&separator))
        .then_some(separator)
}

/// Whether the cells of a record are those of a line `sep=;`, which the separator has cut.
pub(super) fn is_separator_line<'c>(mut cells: impl Iterator<Item = &'c str>) -> bool {
    let first = cells.next().unwrap_or_default().trim();
    let is_named = first.get(..SEPARATOR_LINE.len()).is_some_and(|name| name.eq_ignore_ascii_case("sep="));
    is_named
        && first.len() <= SEPARATOR_LINE.len().saturating_add(1)
        && cells.all(|cell| cell.trim().is_empty())
}

/// Whether a cell or a line has nothing but spaces, separators and quotes.
pub(super) fn is_blank(text: &str) -> bool {
    trimmed(text).chars().all(|c| matches!(c, ',' | ';' | '\t' | '"') || c.is_whitespace())
}

fn is_blank_line(line: &[u8]) -> bool {
    std::str::from_utf8(line).is_ok_and(is_blank)
}

fn most_frequent(line: &[u8]) -> u8 {
    let count = |sign: u8| line.iter().filter(|byte| **byte == sign).count();
    // `max_by_key` returns the last of equals.
    SEPARATORS.into_iter().rev().max_by_key(|sign| count(*sign)).unwrap_or(b',')
}

/// Counts lines as an editor does. The library counts from the end of the record before, and so forgets blank lines.
pub(super) struct Lines<'t> {
    text: &'t [u8],
    /// The first byte that is not counted yet.
    byte: usize,
    line: u64,
}

impl<'t> Lines<'t> {
    pub(super) fn of(text: &'t [u8]) -> Self {
        Self { text, byte: 0, line: 1 }
    }

    /// The line of a record, none before an earlier one. 0 without a position.
    pub(super) fn at(&mut self, position: Option<&csv::Position>) -> u64 {
        let Some(start) = position.and_then(|position| usize::try_from(position.byte()).ok()) else {
            return 0;
        };
        while let Some(byte) = self.text.get(self.byte) {
            let is_before = self.byte < start || matches!(byte, b'\r' | b'\n');
            if !is_before {
                break;
            }
            self.line = self.line.saturating_add(u64::from(*byte == b'\n'));
            self.byte = self.byte.saturating_add(1);
        }
        self.line
    }
}
