//! Plans that were edited in every way that spreadsheets and shells know, against the rule written out again.

use super::*;

/// `SplitMix64`: the same plans on every run and machine.
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % limit as u64).unwrap()
    }

    fn one_in(&mut self, number: usize) -> bool {
        self.below(number) == 0
    }

    fn pick<'a>(&mut self, all: &[&'a str]) -> &'a str {
        all[self.below(all.len())]
    }
}

const COLUMNS: [&str; 9] =
    ["record", "key", "status", "http_status", "error_code", "error", "attempts", "elapsed_ms", "finished_at"];

/// A plan or a report, as the one who edited it left it.
#[derive(Debug)]
struct Table {
    headings: Vec<String>,
    /// What each column was in the report; `None` for one of the editor's own.
    columns: Vec<Option<&'static str>>,
    rows: Vec<Vec<String>>,
    /// The keys and statuses of the rows.
    said: Vec<(String, &'static str)>,
}

fn table(chance: &mut Chance) -> Table {
    let ran = chance.one_in(6);
    let statuses: &[&'static str] = if ran {
        &["deleted", "failed", "unknown", "absent", "invalid", "duplicate"]
    } else {
        &["planned", "planned", "planned", "invalid", "duplicate", "absent", "kept"]
    };
    let mut columns: Vec<Option<&'static str>> = COLUMNS.into_iter().map(Some).collect();
    for _ in 0..chance.below(4) {
        let place = chance.below(columns.len() + 1);
        columns.insert(place, None);
    }
    for _ in 0..chance.below(5) {
        let place = chance.below(columns.len());
        columns.remove(place);
    }
    if chance.one_in(3) {
        for place in 1..columns.len() {
            columns.swap(place, chance.below(place + 1));
        }
    }
    let style = chance.below(5);
    let headings = columns.iter().enumerate().map(|(place, column)| match (column, style) {
        (None, _) => format!("note {place}"),
        (Some(name), 1) => name.to_uppercase(),
        (Some(name), 2) => name.replace('_', " "),
        (Some(name), 3) => format!(" {}{} ", name[..1].to_uppercase(), name[1..].replace('_', "-")),
        (Some(name), _) => (*name).to_owned(),
    });
    let headings = headings.collect();
    let mut said = Vec::new();
    let rows = (1..=1 + chance.below(6)).map(|record| {
        let status = statuses[chance.below(statuses.len())];
        let key =
            format!("{}{record}", chance.pick(&["session:", "a,b", "say \"x\"", "two\nlines", "ключ ", "x;y", " "]));
        said.push((key.clone(), status));
        let cell = |column: Option<&str>| match column {
            Some("record") => record.to_string(),
            Some("key") => key.clone(),
            Some("status") => status.to_owned(),
            Some("attempts" | "elapsed_ms") => "0".to_owned(),
            Some("finished_at") => "2026-11-02T03:00:00.000Z".to_owned(),
            Some("error") if status == "invalid" => "protected by config:*".to_owned(),
            Some(_) => String::new(),
            None => "ok".to_owned(),
        };
        columns.iter().copied().map(cell).collect()
    });
    let rows = rows.collect();
    Table { headings, columns, rows, said }
}

fn written(table: &Table, has_header: bool, chance: &mut Chance, delimiter: u8) -> Vec<u8> {
    let style = if chance.one_in(2) { ::csv::QuoteStyle::Always } else { ::csv::QuoteStyle::Necessary };
    let terminator = if chance.one_in(2) { ::csv::Terminator::CRLF } else { ::csv::Terminator::Any(b'\n') };
    let mut writer = ::csv::WriterBuilder::new()
        .quote_style(style)
        .terminator(terminator)
        .delimiter(delimiter)
        .from_writer(if chance.one_in(3) { b"\xef\xbb\xbf".to_vec() } else { Vec::new() });
    if has_header {
        writer.write_record(&table.headings).unwrap();
    }
    for row in &table.rows {
        writer.write_record(row).unwrap();
    }
    writer.into_inner().unwrap()
}

/// What the keys are, or that nothing may be taken; an error may come after rows that were right.
fn expected(table: &Table, column: Option<&str>, has_header: bool, is_said: bool) -> Option<Vec<String>> {
    let has = |name: &str| table.columns.contains(&Some(name));
    let is_wide = table.columns.len() > 1;
    let of_report = ["record", "http_status", "error_code", "elapsed_ms", "finished_at"];
    let of_report = of_report.into_iter().filter(|name| has(name)).count();
    let only_rows = || table.said.iter().map(|(key, _)| key.clone()).collect();
    if !has_header {
        // A first row that shows a status is never data, and neither is one that nobody says is data.
        let is_data = is_said && !has("status");
        return (is_data && table.columns.first() == Some(&Some("key"))).then(only_rows);
    }
    if column.is_some_and(|column| !has(column)) || !has("key") && column.is_none() && is_wide {
        return None;
    }
    match (has("key"), has("status")) {
        (true, true) => {
            let is_key = column.is_none_or(|column| column == "key");
            let ran = table.said.iter().any(|(_, status)| ["deleted", "failed", "unknown"].contains(status));
            let planned = table.said.iter().filter(|(_, status)| *status == "planned").map(|(key, _)| key.clone());
            (is_key && !ran).then(|| planned.collect())
        }
        (true, false) => (of_report == 0 && column.is_none_or(|column| column == "key")).then(only_rows),
        // No key: what --column names is not looked at here.
        (false, _) => None,
    }
}

#[test]
fn an_edited_plan_gives_its_planned_keys_or_nothing() {
    let (mut plans, mut refused) = (0, 0);
    for seed in 0..4_000 {
        let chance = &mut Chance(seed);
        let table = table(chance);
        let has_header = !chance.one_in(5);
        let delimiter = *[b',', b';', b'\t', b'|'].get(chance.below(4)).unwrap();
        let is_told = delimiter == b',' || !chance.one_in(4);
        let column = if has_header && chance.one_in(3) { Some("key") } else { None };
        let is_said = !has_header && chance.one_in(2);
        let options = InputOptions {
            column: column.map(|column| column.parse().unwrap()),
            header: if is_said { Header::None } else { Header::Auto },
            delimiter: is_told.then_some(delimiter),
            ..InputOptions::default()
        };
        let input = written(&table, has_header, chance, delimiter);
        let shown = || format!("seed {seed}: {}", String::from_utf8_lossy(&input));
        let (mut keys, mut error) = (Vec::new(), None);
        for record in records("plan.csv", &input, &options, 4096) {
            match record {
                Ok(Record { content: Content::Key(key), .. }) => keys.push(key.as_str().to_owned()),
                Ok(_) => {}
                Err(found) => error = Some(found),
            }
        }
        let wanted = if is_told { expected(&table, column, has_header, is_said) } else { None };
        match (wanted, error) {
            (Some(wanted), None) => {
                assert_eq!(keys, wanted, "{}", shown());
                plans += 1;
            }
            (Some(_), Some(error)) => panic!("{error}, {}", shown()),
            // What came before the row that showed it: the first pass has seen it before anything is sent.
            (None, Some(error)) => {
                assert!(error.is_usage(), "{error}, {}", shown());
                refused += 1;
            }
            (None, None) => {
                let is_hidden = !is_told && !has_header && !shows_row(&table);
                assert!(is_one_column(&table) || is_explicit(&table, is_said) || is_hidden, "{}, {keys:?}", shown());
            }
        }
    }
    assert!(plans > 1_000 && refused > 1_000, "{plans} {refused}");
}

/// A single column cannot be told from a list, whatever it holds.
fn is_one_column(table: &Table) -> bool {
    table.columns.len() == 1
}

/// Whether a row of which the delimiter is unknown can still be known as one of a report.
fn shows_row(table: &Table) -> bool {
    let has = |name| table.columns.contains(&Some(name));
    // Its first row goes over two lines, of which neither is one.
    let is_cut = has("key") && table.said[0].0.contains('\n');
    has("status") && !is_cut && (table.columns.first() == Some(&Some("record")) || has("finished_at"))
}

/// The user says that these rows without a header are data, and none of them shows that they are of a report.
fn is_explicit(table: &Table, is_said: bool) -> bool {
    is_said && !table.columns.contains(&Some("status"))
}
