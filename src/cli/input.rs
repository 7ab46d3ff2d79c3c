//! How the inputs are read.

use clap::Args;

use super::value::{delimiter, format_parser};
use crate::input::{Column, Format};

/// How the inputs are read.
#[derive(Debug, Clone, PartialEq, Args)]
pub struct InputArgs {
    /// How keys are written: auto, csv, lines, ndjson, json
    ///
    /// Holds for all inputs: auto goes by the file's extension, then by its content; csv is a column of a table,
    /// lines one key a line, ndjson one JSON value a line (a string, or an object with key, `key_name` or name),
    /// json an array of such values, as wrangler writes and reads it.
    #[arg(long, default_value = "auto", value_parser = format_parser(), hide_possible_values = true)]
    pub format: std::option::Option<Format>,

    /// The CSV column that holds the key, by its heading or counted from 1
    ///
    /// Without it the column headed key, `key_name` or name; a file of one column needs no heading. Headings are compared
    /// without case and blanks around them, and - and space count as _. A heading that is a number has to be given by its
    /// position.
    #[arg(long, value_name = "NAME|NUMBER", value_parser = clap::value_parser!(Column))]
    pub column: Option<Column>,

    /// The first CSV row is a key, not a header
    ///
    /// The keys are in column 1 unless --column says otherwise. Without it the first row is a header if one of its cells
    /// reads key, `key_name` or name, or if --column gives a heading; several columns without one are exit code 2.
    #[arg(long, hide_short_help = true)]
    pub no_header: bool,

    /// What separates CSV columns: one ASCII character, or tab
    ///
    /// Without it a comma; a tab for files that end in .tsv.
    #[arg(long, value_name = "CHAR", value_parser = delimiter, hide_short_help = true)]
    pub delimiter: Option<u8>,

    /// Do not look for keys that are named twice
    ///
    /// Saves the memory for it (at most 32 bytes a key); a key that is named twice is deleted twice, which is
    /// harmless and costs a request.
    #[arg(long, hide_short_help = true)]
    pub no_dedupe: bool,
}
