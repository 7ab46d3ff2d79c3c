//! How the inputs are read.

use clap::Args;

use super::value::{delimiter, format_parser};
use crate::input::{Column, Format};

/// How the inputs are read.
#[derive(Debug, Clone, PartialEq, Args)]
pub struct InputArgs {
    /// Read the inputs as auto, csv, lines, ndjson or json
    ///
    /// Applies to all inputs. auto goes by the extension, then by the content. csv is a column of a table; lines, one
    /// key per line; ndjson, one JSON value per line (a string, or an object with key, `key_name` or name); json, an
    /// array of those, or an API response with such an array as its `result`.
    #[arg(long, default_value = "auto", value_parser = format_parser(), hide_possible_values = true)]
    pub format: std::option::Option<Format>,

    /// Take keys from this CSV column, by name or number
    ///
    /// The default is the column named key, `key_name` or name; a file with one column needs no header. Names are
    /// compared ignoring case, surrounding blanks, and the difference between -, _ and a space. A number
    /// always means a position, counted from 1, even if a column has that number as its name.
    #[arg(long, value_name = "NAME|NUMBER", value_parser = clap::value_parser!(Column))]
    pub column: Option<Column>,

    /// Treat the first CSV row as data, not as a header
    ///
    /// Keys are then in column 1 unless --column is given. By default, the first row is a header if one of its cells
    /// is key, `key_name` or name, or the name given to --column. Several columns without a header are an error (exit
    /// code 2).
    #[arg(long, hide_short_help = true)]
    pub no_header: bool,

    /// Split CSV columns at this ASCII character, or at tab
    ///
    /// The default is a comma, or a tab for files that end in .tsv.
    #[arg(long, value_name = "CHAR", value_parser = delimiter, hide_short_help = true)]
    pub delimiter: Option<u8>,

    /// Do not look for duplicate keys
    ///
    /// Saves the memory for it (at most 32 bytes per key); duplicates are then deleted twice, which is harmless and
    /// takes one more request.
    #[arg(long, hide_short_help = true)]
    pub no_dedupe: bool,
}
