//! Tests of caller rows.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop at what it did not expect")]
use super::*;

fn region() -> Region {
    "US".parse().unwrap()
}

fn wrong(text: &str) -> Vec<String> {
    let errors = read(text.as_bytes(), region()).unwrap_err();
    assert_eq!(errors.kept.len(), errors.count);
    errors.kept.iter().map(ToString::to_string).collect()
}

#[test]
fn files_of_spreadsheets_are_read() {
    let speaker = "0199c0de-0000-7000-8000-000000000001";
    let text = format!(
        "\u{feff}Voice_Name;caller_id;voice_sample_url;speaker;voice_policy\r\n\
         \"Anna; the first\";'+12025550123;a.wav;{speaker};proof\r\nBob;(202) 555-0124;b.wav;;\r\n"
    );
    let sheet = read(text.as_bytes(), region()).unwrap();
    assert_eq!(sheet.callers.len(), 2);
    assert_eq!(sheet.callers[0].caller_id, "+12025550123");
    assert_eq!(sheet.callers[0].voice_name, "Anna; the first");
    assert_eq!(sheet.callers[0].speaker, Some(speaker.parse().unwrap()));
    assert_eq!(sheet.callers[0].voice_policy, Some(VoicePolicy::Proof));
    assert_eq!(sheet.callers[1].caller_id, "+12025550124");
    assert_eq!(sheet.columns, Columns { description: false, speaker: true, voice_policy: true });
}

#[test]
fn an_export_is_read_back_unchanged_and_contains_no_formula() {
    let caller = ImportedCaller {
        caller_id: "+12025550123".into(),
        voice_sample_url: "=cmd|' /C calc'!A0".into(),
        voice_name: "'quoted'".into(),
        description: Some("@home, \"really\"\nand more".into()),
        speaker: None,
        voice_policy: Some(VoicePolicy::Never),
    };
    let mut writer = Writer::from_writer(Vec::new());
    write_header(&mut writer).unwrap();
    write(&mut writer, &caller).unwrap();
    let text = String::from_utf8(writer.into_inner().unwrap()).unwrap();
    for cell in text.lines().nth(1).unwrap().split(',') {
        assert!(!cell.trim_start_matches('"').starts_with(['=', '+', '-', '@']), "{text}");
    }
    assert_eq!(read(text.as_bytes(), region()).unwrap().callers, [caller]);
}

#[test]
fn every_wrong_row_is_named_by_line_and_column() {
    let head = "caller_id,voice_sample_url,voice_name,speaker,voice_policy\n";
    let text = format!(
        "{head}nobody,a.wav,A,,\n+12025550123,,B,me,maybe\n+12025550124,b.wav,C,,\n2025550124,c.wav,D,,\n"
    );
    let found = wrong(&text);
    assert!(found[0].starts_with("line 2, caller_id: `nobody` is not a telephone number"), "{found:?}");
    assert_eq!(found[1], "line 3, voice_sample_url: the cell is empty");
    assert!(found[2].starts_with("line 3, speaker: ") && found[3].starts_with("line 3, voice_policy: "));
    assert_eq!(found[4], "line 5, caller_id: line 4 has the same caller: keep one of them");
    assert_eq!(found.len(), 5);
    assert!(wrong("caller_id,name\n")[0].contains("`name` is not a column; the columns are caller_id"));
    let many = format!("{head}{}", "x,,,,\n".repeat(150));
    let errors = read(many.as_bytes(), region()).unwrap_err();
    assert_eq!((errors.kept.len(), errors.count), (100, 450));
}

#[test]
fn a_row_with_more_cells_than_the_header_is_wrong() {
    let found = wrong("caller_id,voice_sample_url,voice_name\n+12025550123,a.wav,Anna, the first\n");
    assert_eq!(found, ["line 2: 4 cells where the header has 3: quote cells that contain the separator"]);
}

#[test]
fn quotes_before_a_formula_are_preserved() {
    for text in ["'=1+1", "''=1+1", "'", "''", "'a", "\tx", "=", "-"] {
        assert_eq!(without_guard(&guarded(text)), text);
    }
    assert_eq!((guarded("'a"), guarded("'=1")), ("'a".to_owned(), "''=1".to_owned()));
}

#[test]
fn fields_and_files_have_limits() {
    let head = "caller_id,voice_sample_url,voice_name\n";
    let of = |length: usize| format!("{head}+12025550123,a.wav,{}\n", "n".repeat(length));
    assert!(read(of(FIELD_BYTES_MAX).as_bytes(), region()).is_ok());
    let found = wrong(&of(FIELD_BYTES_MAX + 1));
    assert_eq!(found[0], "line 2, voice_name: longer than 4096 bytes, or holds a NUL");
}

#[test]
fn grouped_numbers_are_masked() {
    let found = wrong("caller_id,voice_sample_url,voice_name\n(202) 555-01-23 45 67 89 01 23 call,a.wav,A\n");
    assert!(!found[0].contains("202") && !found[0].contains("555"), "{found:?}");
    // A file without a header begins with a caller.
    let found = wrong("+1 202 555 0123,a.wav,Anna\n");
    assert!(found[0].contains("`+* *** *** **23` is not a column"), "{found:?}");
}

#[test]
fn numbers_are_masked_in_errors() {
    let head = "caller_id,voice_sample_url,voice_name\n";
    let found = wrong(&format!("{head}+1202555012345678901,a.wav,A\n"));
    assert!(!found[0].contains("55501234"), "{found:?}");
}
