//! The rules of this codebase that no compiler and no lint knows, as tests over its text. Every test first holds its
//! rule against the tree, then against a planted breach, so that no rule can fall asleep.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)] // A failed test is a failed test.

mod alerts;
mod doc_names;
mod floors;
mod layering;
mod log_lines;
mod manifest;
mod manner;
mod modules;
mod source;
mod sql;
mod tree;
