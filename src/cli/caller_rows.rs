//! Callers as CSV: reads what spreadsheets write, and names every wrong row.

use std::collections::HashMap;

use csv::{ReaderBuilder, StringRecord, Writer};
use precall_base::phone_number::{CallerNumber, Region};
use precall_call::VoicePolicy;
use precall_store::people::caller_import::{Columns, ImportedCaller};
use uuid::Uuid;

use dialect::{Dialect, Lines, is_blank, is_separator_line};

mod dialect;
mod invisible;

/// In the order in which they are written.
const COLUMNS: [&str; 6] =
    ["caller_id", "voice_sample_url", "voice_name", "description", "speaker", "voice_policy"];
const ROWS_MAX: usize = 1_000_000;
const FIELD_BYTES_MAX: usize = 4096;
/// Spreadsheets read a cell that begins with one of these as a formula.
const FORMULA: [char; 6] = ['=', '+', '-', '@', '\t', '\r'];
/// Errors that are kept; more are counted.
const ERRORS_KEPT: usize = 100;

/// What is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RowError {
    /// Counts from 1, the header included; 0 where it is about the whole file.
    pub(crate) line: u64,
    /// The column's name; empty where it is about the whole row.
    pub(crate) column: &'static str,
    /// What is wrong, and what would be right.
    pub(crate) what: String,
}

impl std::fmt::Display for RowError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.line, self.column) {
            (0, _) => write!(f, "{}", self.what),
            (line, "") => write!(f, "line {line}: {}", self.what),
            (line, column) => write!(f, "line {line}, {column}: {}", self.what),
        }
    }
}

/// The first errors, and how many there are in all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct RowErrors {
    pub(crate) kept: Vec<RowError>,
    pub(crate) count: usize,
}

impl RowErrors {
    pub(crate) fn add(&mut self, line: u64, column: &'static str, what: impl Into<String>) {
        self.count = self.count.saturating_add(1);
        if self.kept.len() < ERRORS_KEPT {
            self.kept.push(RowError { line, column, what: what.into() });
        }
    }

    fn of_file(what: impl Into<String>) -> Self {
        let mut errors = Self::default();
        errors.add(0, "", what);
        errors
    }
}

/// A file that was read.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sheet {
    pub(crate) callers: Vec<ImportedCaller>,
    /// The line of each.
    pub(crate) lines: Vec<u64>,
    pub(crate) columns: Columns,
}

/// Reads all of it, or says all that is wrong. Skips blank rows, rows of separators alone, and a line `sep=;`.
pub(crate) fn read(bytes: &[u8], region: Region) -> Result<Sheet, RowErrors> {
    let Dialect { text, separator } = Dialect::of(bytes).map_err(RowErrors::of_file)?;
    let mut reader = ReaderBuilder::new()
        .delimiter(separator)
        .flexible(true)
        .has_headers(false)
        .from_reader(text.as_ref());
    let (mut lines, mut places) = (Lines::of(&text), None::<Places>);
    let (mut sheet, mut errors) = (Sheet::default(), RowErrors::default());
    let mut seen: HashMap<String, u64> = HashMap::new();
    for record in reader.records() {
        let record = match record {
            Ok(record) => record,
            Err(error) => {
                let line = lines.at(error.position());
                let what = "the row cannot be read: write UTF-8, and quote cells that contain the separator";
                errors.add(line, "", what);
                if places.is_none() {
                    return Err(errors);
                }
                continue;
            }
        };
        if record.iter().all(is_blank) {
            continue;
        }
        let line = lines.at(record.position());
        let Some(places) = &places else {
            if !is_separator_line(record.iter()) {
                let found = Places::of(&record, line)?;
                sheet.columns = found.columns();
                places = Some(found);
            }
            continue;
        };
        if sheet.callers.len() >= ROWS_MAX {
            return Err(RowErrors::of_file(format!("more than {ROWS_MAX} rows: split the file")));
        }
        if let Some(what) = places.misplaced(&record) {
            errors.add(line, "", what);
            continue;
        }
        let Some(caller) = row(&record, places, line, region, &mut errors) else { continue };
        if let Some(first) = seen.insert(caller.caller_id.clone(), line) {
            errors.add(line, "caller_id", format!("line {first} has the same caller: keep one of them"));
        }
        sheet.callers.push(caller);
        sheet.lines.push(line);
    }
    if errors.count > 0 {
        return Err(errors);
    }
    if places.is_none() {
        return Err(RowErrors::of_file(format!(
            "the file has no header: its first row is {}",
            COLUMNS.join(", ")
        )));
    }
    Ok(sheet)
}

/// Where the columns are.
struct Places {
    by_name: HashMap<&'static str, usize>,
    width: usize,
    /// Columns of the header without a name, as separators at the end of its line make them.
    nameless: Vec<usize>,
}

impl Places {
    fn of(header: &StringRecord, line: u64) -> Result<Self, RowErrors> {
        let mut errors = RowErrors::default();
        let mut places = Self { by_name: HashMap::new(), width: header.len(), nameless: Vec::new() };
        for (place, name) in header.iter().enumerate() {
            let written = invisible::without(name);
            let name = written.to_ascii_lowercase().replace([' ', '-'], "_");
            if name.is_empty() {
                places.nameless.push(place);
                continue;
            }
            match COLUMNS.iter().find(|column| **column == name) {
                Some(column) => {
                    if places.by_name.insert(*column, place).is_some() {
                        errors.add(line, column, "the column appears twice");
                    }
                }
                None => {
                    let right = COLUMNS.join(", ");
                    errors.add(
                        line,
                        "",
                        format!("`{}` is not a column; the columns are {right}", shown(&written)),
                    );
                }
            }
        }
        for needed in ["caller_id", "voice_sample_url", "voice_name"] {
            if !places.by_name.contains_key(needed) {
                errors.add(line, needed, "the column is missing");
            }
        }
        if errors.count > 0 { Err(errors) } else { Ok(places) }
    }

    fn columns(&self) -> Columns {
        let has = |name: &str| self.by_name.contains_key(name);
        Columns {
            description: has("description"),
            speaker: has("speaker"),
            voice_policy: has("voice_policy"),
        }
    }

    /// What is wrong with a row whose cells are not below the names of the header. Fewer cells are fine: spreadsheets
    /// leave out empty cells at the end, or add some. More cells have moved columns.
    fn misplaced(&self, record: &StringRecord) -> Option<String> {
        let filled =
            record.iter().enumerate().filter(|(_, cell)| !precall_base::invisible::trimmed(cell).is_empty());
        let mut outside = filled.filter(|(place, _)| *place >= self.width || self.nameless.contains(place));
        let (place, _) = outside.next()?;
        let right = "quote cells that contain the separator";
        Some(if place >= self.width {
            format!("{} cells where the header has {}: {right}", record.len(), self.width)
        } else {
            format!("cell {} is below no name of the header: {right}", place.saturating_add(1))
        })
    }
}

fn row(
    record: &StringRecord,
    places: &Places,
    line: u64,
    region: Region,
    errors: &mut RowErrors,
) -> Option<ImportedCaller> {
    let before = errors.count;
    let mut cell = |column: &'static str| -> String {
        let text = places.by_name.get(column).and_then(|place| record.get(*place)).unwrap_or_default();
        let text = without_guard(precall_base::invisible::trimmed(text));
        if text.len() > FIELD_BYTES_MAX || text.contains('\0') {
            errors.add(line, column, format!("longer than {FIELD_BYTES_MAX} bytes, or holds a NUL"));
            return String::new();
        }
        text.to_owned()
    };
    let [caller, sample, name, description, speaker, policy] = COLUMNS.map(&mut cell);
    let [caller, speaker, policy] = [caller, speaker, policy].map(|text| invisible::without(&text));
    if let Some(what) = invisible::complaint(&sample) {
        errors.add(line, "voice_sample_url", what);
    }
    let caller_id = match CallerNumber::parse_written(&caller, region) {
        CallerNumber::Public(number) => number.as_e164().to_owned(),
        CallerNumber::Internal(extension) => extension.as_str().to_owned(),
        CallerNumber::Withheld | CallerNumber::Unreadable => {
            let shown = shown(&caller);
            let right = if is_scientific(&caller) {
                "a spreadsheet has shortened it; format the column as text, and enter the numbers again"
            } else {
                "write it with + and country code, or set DEFAULT_REGION"
            };
            errors.add(line, "caller_id", format!("`{shown}` is not a telephone number: {right}"));
            String::new()
        }
    };
    for (column, text) in [("voice_sample_url", &sample), ("voice_name", &name)] {
        if text.is_empty() {
            errors.add(line, column, "the cell is empty");
        }
    }
    let speaker = optional(&speaker, |text| Uuid::try_parse(text).ok()).unwrap_or_else(|| {
        errors.add(line, "speaker", "not an id: use the speaker's uuid from GET /api/v1/speakers");
        None
    });
    let voice_policy = optional(&policy, VoicePolicy::from_name).unwrap_or_else(|| {
        errors.add(line, "voice_policy", "must be number, proof, never or empty");
        None
    });
    let description = Some(description).filter(|text| !text.is_empty());
    let caller = ImportedCaller {
        caller_id,
        voice_sample_url: sample,
        voice_name: name,
        description,
        speaker,
        voice_policy,
    };
    (errors.count == before).then_some(caller)
}

/// A number as spreadsheets show a long one: 4.91512E+12.
fn is_scientific(text: &str) -> bool {
    let Some((digits, exponent)) = text.split_once(['E', 'e']) else { return false };
    let is_number =
        |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | ','));
    is_number(digits) && is_number(exponent.trim_start_matches('+'))
}

/// A cell as an error shows it, with most digits masked. Numbers may be written in groups, which `config::masked`
/// does not join.
fn shown(text: &str) -> String {
    const SHORT: usize = 5;
    let text: String = text.chars().filter(|c| !c.is_control()).take(40).collect();
    let digits = text.chars().filter(|c| c.is_numeric()).count();
    let mut hide = if digits > SHORT { digits.saturating_sub(2) } else { 0 };
    let hidden = |c: char| {
        if !c.is_numeric() || hide == 0 {
            return c;
        }
        hide = hide.saturating_sub(1);
        '*'
    };
    text.chars().map(hidden).collect()
}

/// None inside where the cell is empty, none outside where it is wrong.
fn optional<T>(text: &str, read: impl Fn(&str) -> Option<T>) -> Option<Option<T>> {
    if text.is_empty() { Some(None) } else { read(text).map(Some) }
}

/// Removes exactly the sign that [`guarded`] adds.
fn without_guard(text: &str) -> &str {
    text.strip_prefix('\'').filter(|rest| wants_guard(rest)).unwrap_or(text)
}

/// A cell that no spreadsheet reads as a formula.
fn guarded(text: &str) -> String {
    if wants_guard(text) { format!("'{text}") } else { text.to_owned() }
}

/// True also for a cell that already has such signs: else [`without_guard`] would remove one of the cell's own.
fn wants_guard(text: &str) -> bool {
    text.trim_start_matches('\'').starts_with(FORMULA)
}

/// Writes the names of the columns.
pub(crate) fn write_header<W: std::io::Write>(to: &mut Writer<W>) -> csv::Result<()> {
    to.write_record(COLUMNS)
}

/// Writes a caller.
pub(crate) fn write<W: std::io::Write>(to: &mut Writer<W>, caller: &ImportedCaller) -> csv::Result<()> {
    let speaker = caller.speaker.map(|speaker| speaker.to_string()).unwrap_or_default();
    let cells = [
        caller.caller_id.as_str(),
        &caller.voice_sample_url,
        &caller.voice_name,
        caller.description.as_deref().unwrap_or_default(),
        &speaker,
        caller.voice_policy.map(VoicePolicy::name).unwrap_or_default(),
    ];
    to.write_record(cells.map(guarded))
}

#[cfg(test)]
mod tests;
