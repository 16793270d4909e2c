//! What an adoption prints.

use precall_store::schema::adopt::Survey;

use super::Run;

/// Something that the administrator should know, and how to settle it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finding {
    /// How many; not printed if 0.
    pub(super) count: u64,
    /// A sentence that names the number.
    pub(super) words: String,
    /// What settles it, a command where there is one.
    pub(super) settle: String,
}

/// All findings of one run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Findings(Vec<Finding>);

impl Findings {
    pub(super) fn add(&mut self, count: u64, words: String, settle: String) {
        self.0.push(Finding { count, words, settle });
    }

    pub(super) fn extend(&mut self, more: impl IntoIterator<Item = Finding>) {
        self.0.extend(more);
    }

    pub(super) fn print(&self) {
        let found: Vec<&Finding> = self.0.iter().filter(|finding| finding.count > 0).collect();
        if found.is_empty() {
            return;
        }
        println!("To settle:");
        for Finding { words, settle, .. } in found {
            println!("  {words}");
            println!("      {settle}");
        }
    }
}

/// The tables and the changes, in both runs alike.
pub(super) fn survey(run: Run, survey: &Survey) {
    let schema = &survey.schema;
    println!("the database of a VoiceClone Pre-Call Service, in the schema {schema}");
    println!(
        "{}",
        match run {
            Run::Dry => "Nothing was changed. An adoption would change:",
            Run::Real => "Changed:",
        }
    );
    for (table, rows) in &survey.tables {
        println!("{rows:>9}  {table}: times without a zone are read as UTC");
    }
    for change in &survey.changes {
        println!("{:>9}  {}", change.rows, change.text);
    }
}

/// One more line of changes.
pub(super) fn line(count: u64, text: &str) {
    println!("{count:>9}  {text}");
}
