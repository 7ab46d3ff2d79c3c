//! Names as the content of a file.

use std::io::Write;

use crate::case::{Case, Column, Compression, Damage, Form, Format};

/// The content of an input that holds these names.
pub(crate) fn content(form: &Form, names: &[String], damage: Option<Damage>) -> Vec<u8> {
    match damage {
        Some(Damage::Html) => return b"<!DOCTYPE html>\n<html><head><title>404</title></head></html>\n".to_vec(),
        Some(Damage::Zip) => return b"PK\x03\x04\x14\x00\x06\x00\x08\x00\x00\x00!\x00[Content_Types].xml".to_vec(),
        _ => {}
    }
    let end = if form.crlf { "\r\n" } else { "\n" };
    let mut text = match &form.format {
        Format::Lines => lines(names.iter().cloned(), end),
        Format::Csv { .. } => csv(&form.format, names, end),
        Format::Ndjson { member } => lines(names.iter().map(|name| element(name, *member).to_string()), end),
        Format::Json { member, result, pretty } => json(names, *member, *result, *pretty),
    };
    if !form.final_newline {
        text.truncate(text.strip_suffix(end).map_or(text.len(), str::len));
    }
    if damage == Some(Damage::Open) {
        match &form.format {
            Format::Json { .. } => text.truncate(text.trim_end_matches(['}', ']', '\n', ' ']).len()),
            // A quote is part of a line.
            Format::Lines => {}
            Format::Ndjson { .. } => text = format!("{}{end}{{\"open", text.trim_end_matches(['\r', '\n'])),
            Format::Csv { .. } => text += "\"open,",
        }
    }
    let mut bytes = if form.bom { "\u{feff}".as_bytes().to_vec() } else { Vec::new() };
    bytes.extend_from_slice(text.as_bytes());
    let mut bytes = match form.compression {
        Compression::None => bytes,
        Compression::Gzip => {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(&bytes).expect("memory");
            encoder.finish().expect("memory")
        }
        Compression::Zstd => zstd::encode_all(&bytes[..], 1).expect("memory"),
    };
    if damage == Some(Damage::Truncated) && form.compression != Compression::None {
        bytes.truncate(bytes.len().saturating_sub(6));
    }
    bytes
}

/// Whether the damage shows in this form.
pub(crate) fn is_damaged(case: &Case) -> bool {
    match case.damage {
        None => false,
        Some(Damage::Truncated) => case.form.compression != Compression::None,
        Some(Damage::Open) => case.form.format != Format::Lines,
        Some(Damage::Html | Damage::Zip) => true,
    }
}

fn lines(names: impl Iterator<Item = String>, end: &str) -> String {
    names.map(|name| name + end).collect()
}

fn element(name: &str, member: Option<&str>) -> serde_json::Value {
    match member {
        None => name.into(),
        Some(member) => serde_json::json!({ "note": 1, member: name }),
    }
}

fn json(names: &[String], member: Option<&str>, result: bool, pretty: bool) -> String {
    let array: Vec<_> = names.iter().map(|name| element(name, member)).collect();
    let value =
        if result { serde_json::json!({ "success": true, "result": array, "errors": [] }) } else { array.into() };
    let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) };
    text.expect("memory") + "\n"
}

fn csv(format: &Format, names: &[String], end: &str) -> String {
    let Format::Csv { heading, before, after, delimiter, quoted, .. } = format else { return String::new() };
    let row = |key: &str, other: &str| {
        let fields = std::iter::repeat_n(other, *before).chain([key]).chain(std::iter::repeat_n(other, *after));
        let fields: Vec<String> = fields.map(|field| csv_field(field, *delimiter, *quoted)).collect();
        fields.join(&delimiter.to_string()) + end
    };
    let header = heading.as_ref().map(|heading| row(heading, "other"));
    header.into_iter().chain(names.iter().map(|name| row(name, "7"))).collect()
}

pub(crate) fn csv_field(field: &str, delimiter: char, quoted: bool) -> String {
    let special = |char| char == delimiter || matches!(char, '"' | '\n' | '\r');
    if quoted || field.is_empty() || field.contains(special) || field.starts_with(' ') || field.ends_with(' ') {
        format!("\"{}\"", field.replace('"', "\"\""))
    } else {
        field.to_owned()
    }
}

/// What the input's form takes on the command line.
pub(crate) fn flags(form: &Form) -> Vec<String> {
    let mut flags = Vec::new();
    if !form.named_after_format {
        let format = match form.format {
            Format::Lines => "lines",
            Format::Csv { .. } => "csv",
            Format::Ndjson { .. } => "ndjson",
            Format::Json { .. } => "json",
        };
        flags.push(format!("--format={format}"));
    }
    if let Format::Csv { heading, before, delimiter, column, .. } = &form.format {
        match (column, heading) {
            (Column::ByName, Some(heading)) => flags.push(format!("--column={heading}")),
            (Column::ByNumber, _) => flags.push(format!("--column={}", before + 1)),
            _ => {}
        }
        if heading.is_none() && (*column == Column::ByNumber) {
            flags.push("--no-header".to_owned());
        }
        if *delimiter != ',' {
            flags.push(format!("--delimiter={delimiter}"));
        }
    }
    flags
}

/// The name of an input.
pub(crate) fn name(form: &Form, index: usize) -> String {
    let extension = match form.format {
        _ if !form.named_after_format => "",
        Format::Lines => ".txt",
        Format::Csv { .. } => ".csv",
        Format::Ndjson { .. } => ".ndjson",
        Format::Json { .. } => ".json",
    };
    format!("keys{index}{extension}")
}
