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

/// One caller and one name, as each dialect of a spreadsheet writes them.
#[test]
fn dialects_of_spreadsheets_are_read() {
    let head = "caller_id,voice_sample_url,voice_name";
    let row = "+12025550123,a.wav,Anna";
    let semicolons = |text: &str| text.replace(',', ";");
    let of_excel = format!("{}\r\n{}\r\n", semicolons(head), semicolons(row));
    let tabs = of_excel.replace(';', "\t");
    for (what, text) in [
        ("blank rows between", format!("{head}\n\n\n{row}\n\n")),
        ("spaces in blank rows", format!("{head}\n   \n\t\n{row}\n \u{a0}\n")),
        ("rows of separators", format!("{head}\n,,\n,,,,\n{row}\n,,\n")),
        ("rows of separators and quotes", format!("{head}\n\"\",\"\",\n{row}\n")),
        ("blank rows before the header", format!("\n\r\n,,\n{head}\n{row}\n")),
        ("sep=;", format!("sep=;\r\n{of_excel}")),
        ("SEP=; behind a mark", format!("\u{feff}SEP=;\r\n{of_excel}")),
        ("sep=; in quotes", format!("\"sep=;\"\r\n{of_excel}")),
        ("sep=; filled up", format!("sep=;;;\r\n{of_excel}")),
        ("sep=,", format!("sep=,\n{head}\n{row}\n")),
        ("sep=tab", format!("sep=\t\r\n{tabs}")),
        ("sep=; behind a blank row", format!("\r\nsep=;\r\n{of_excel}")),
        ("tabs", tabs.clone()),
        ("two marks", format!("\u{feff}\u{feff}{of_excel}")),
        ("CR alone", format!("{head}\r{row}\r")),
        ("CR alone with sep=;", format!("sep=;\r{}", of_excel.replace("\r\n", "\r"))),
        ("no end of the last line", format!("{head}\n{row}")),
        ("separators at the end", format!("{head},,\n{row},,\n")),
        ("more separators than the header", format!("{head}\n{row},,,,\n")),
        ("fewer separators than the header", format!("{head},description,speaker\n{row}\n")),
        ("other case and spaces", format!("Caller ID, Voice_Sample_URL ,VOICE-NAME\n{row}\n")),
        (
            "spaces that do not break",
            format!("caller\u{a0}id,\u{feff}voice_sample_url,voice_name\u{200b}\n{row}\n"),
        ),
        (
            "quotes around all",
            "\"caller_id\",\"voice_sample_url\",\"voice_name\"\n\"+12025550123\",\"a.wav\",\"Anna\"\n".into(),
        ),
        (
            "invisible characters",
            format!(
                "{head}\n\u{202a}+1\u{a0}202\u{200b}555\u{2011}0123\u{202c},\u{feff}a.wav\u{200b},\u{a0}Anna\u{200b}\n"
            ),
        ),
    ] {
        let sheet = read(text.as_bytes(), region()).unwrap_or_else(|errors| panic!("{what}: {errors:?}"));
        let [caller] = &sheet.callers[..] else { panic!("{what}: {:?}", sheet.callers) };
        let cells = [&caller.caller_id, &caller.voice_sample_url, &caller.voice_name];
        assert_eq!(cells, ["+12025550123", "a.wav", "Anna"], "{what}");
    }
}

#[test]
fn lines_are_counted_as_an_editor_counts_them() {
    let row = "nobody;a.wav;A";
    for (text, line) in [
        (format!("sep=;\r\n\r\ncaller_id;voice_sample_url;voice_name\r\n;;\r\n\r\n{row}\r\n"), 6),
        (format!("caller_id;voice_sample_url;voice_name\r\r{row}\r"), 3),
        (format!("caller_id;voice_sample_url;voice_name\n+12025550123;a.wav;\"A\nB\"\n{row}\n"), 4),
    ] {
        let found = wrong(&text);
        assert!(found[0].starts_with(&format!("line {line}, caller_id: ")), "{text:?}: {found:?}");
    }
}

#[test]
fn files_of_another_kind_are_refused_in_words() {
    let utf16 = |mark: &[u8], of: fn(u16) -> [u8; 2]| -> Vec<u8> {
        let text = "caller_id;voice_sample_url\r\n".encode_utf16().flat_map(of);
        mark.iter().copied().chain(text).collect()
    };
    for (content, said) in [
        (utf16(b"\xff\xfe", u16::to_le_bytes), "UTF-16"),
        (utf16(b"\xfe\xff", u16::to_be_bytes), "UTF-16"),
        (utf16(b"", u16::to_le_bytes), "UTF-16"),
        (utf16(b"", u16::to_be_bytes), "UTF-16"),
        (b"PK\x03\x04\x14\0".to_vec(), "workbook"),
        (b"\xd0\xcf\x11\xe0\xa1".to_vec(), "old workbook"),
        (b"".to_vec(), "no header"),
        (b"\xef\xbb\xbf\r\n;;\r\n".to_vec(), "no header"),
        (b"sep=;\r\n".to_vec(), "no header"),
    ] {
        let errors = read(&content, region()).unwrap_err();
        assert_eq!((errors.count, errors.kept[0].line), (1, 0), "{said}");
        assert!(errors.kept[0].what.contains(said), "{said}: {errors:?}");
    }
}

#[test]
fn invisible_characters_in_a_path_are_named() {
    let head = "caller_id,voice_sample_url,voice_name\n";
    for (path, code) in
        [("an\u{200b}na.wav", "U+200B"), ("a\u{feff}.wav", "U+FEFF"), ("a\u{a0}b.wav", "U+00A0")]
    {
        let found = wrong(&format!("{head}+12025550123,{path},Anna\n"));
        let expected =
            format!("line 2, voice_sample_url: holds the invisible character {code}: type the text again");
        assert_eq!(found, [expected]);
    }
    // macOS puts a narrow space into the names of recordings; names of people may hold a joiner.
    let text = format!("{head}+12025550123,at 5\u{202f}PM.m4a,\u{200f}نامه\u{200c}ای\n");
    let sheet = read(text.as_bytes(), region()).unwrap();
    assert_eq!(sheet.callers[0].voice_sample_url, "at 5\u{202f}PM.m4a");
    assert_eq!(sheet.callers[0].voice_name, "نامه\u{200c}ای");
}

#[test]
fn moved_columns_and_shortened_numbers_are_named() {
    let found = wrong("caller_id,voice_sample_url,voice_name,\n+12025550123,a.wav,Anna, the first\n");
    assert_eq!(
        found,
        ["line 2: cell 4 is below no name of the header: quote cells that contain the separator"]
    );
    for number in ["4.91512E+12", "4,91512E+12", "1.2e12"] {
        let found = wrong(&format!("caller_id;voice_sample_url;voice_name\n{number};a.wav;Anna\n"));
        assert!(found[0].contains("a spreadsheet has shortened it"), "{found:?}");
    }
}
