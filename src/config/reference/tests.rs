//! Lines of the documents.
use super::wording::wrapped;

#[test]
fn long_text_is_wrapped_at_120_characters() {
    let text = "word ".repeat(60);
    let lines = wrapped(&text, "# ", "#   ");
    assert!(lines.lines().all(|line| line.len() <= 120), "{lines}");
    assert_eq!(lines.matches("word").count(), 60);
    assert!(lines.lines().skip(1).all(|line| line.starts_with("#   word")), "{lines}");
    assert_eq!(wrapped("short", "- ", "  "), "- short\n");
}
