//! `kvsweep man`: the manual, a page for the program and one for each subcommand: what `clap_mangen` makes of a command, with
//! the text below its help as sections of their own.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use clap::{Args, Command, ValueHint};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, roman};

use crate::command::{DocsJob, Document};

const AFTER_HELP: &str = "\
Examples:
  kvsweep man delete | man -l -            read one page
  kvsweep man --out ~/.local/share/man/man1";

/// The flags of `kvsweep man`.
#[derive(Debug, Clone, PartialEq, Args)]
#[command(after_help = AFTER_HELP)]
pub struct ManArgs {
    /// Print the page of this subcommand
    ///
    /// The default is the page of kvsweep itself.
    #[arg(value_name = "COMMAND", conflicts_with = "out", hide_possible_values = true)]
    pub command: Option<String>,

    /// Write all pages into FOLDER
    ///
    /// Creates the folder if needed, and replaces existing pages.
    #[arg(long, value_name = "FOLDER", value_hint = ValueHint::DirPath)]
    pub out: Option<PathBuf>,
}

/// The definition whose `kvsweep man` knows which commands have a page.
pub(super) fn with_pages(whole: Command) -> Command {
    let names: Vec<String> = shown(&whole).map(|command| command.get_name().to_owned()).collect();
    whole.mut_subcommand("man", |man| man.mut_arg("command", |arg| arg.value_parser(PossibleValuesParser::new(names))))
}

/// The pages that were asked for.
pub(super) fn docs_job(args: ManArgs, whole: Command) -> DocsJob {
    let mut whole = whole.disable_help_subcommand(true);
    whole.build();
    let documents = match (args.command, &args.out) {
        (Some(name), _) => {
            shown(&whole).filter(|command| command.get_name() == name).map(|command| page(command, &whole)).collect()
        }
        (None, None) => vec![page(&whole, &whole)],
        (None, Some(_)) => std::iter::once(&whole).chain(shown(&whole)).map(|command| page(command, &whole)).collect(),
    };
    DocsJob { documents, folder: args.out }
}

/// The page of `command`, which is `whole` or one of its subcommands; both are built.
fn page(command: &Command, whole: &Command) -> Document {
    let version = whole.get_version().unwrap_or_default();
    let man = Man::new(command.clone());
    let name = man.get_filename();
    let title = name.trim_end_matches(".1").to_uppercase();
    // By hand: an empty date, without which a page is the same whenever it is made, is lost by the library.
    let mut page =
        format!(".TH \"{title}\" 1 \"\" \"{} {version}\" \"User Commands\"\n", whole.get_name()).into_bytes();
    let is_whole = command.get_name() == whole.get_name();
    let mut add = |section: fn(&Man, &mut dyn std::io::Write) -> std::io::Result<()>| {
        // A vector takes everything.
        let _ = section(&man, &mut page);
    };
    add(Man::render_name_section);
    add(Man::render_synopsis_section);
    add(Man::render_description_section);
    add(Man::render_options_section);
    if is_whole {
        add(Man::render_subcommands_section);
    }
    let after = command.get_after_long_help().or(command.get_after_help());
    let after = after.map(|text| sections(&text.to_string())).unwrap_or_default();
    page.extend_from_slice(after.as_bytes());
    page.extend_from_slice(see_also(command, whole).as_bytes());
    Document { name, text: tidy(&String::from_utf8_lossy(&page)).into_bytes() }
}

/// The text below a command's help: `Heading:` begins a section, what is indented is kept as it is, the rest is a
/// paragraph.
fn sections(text: &str) -> String {
    let mut roff = Roff::default();
    let mut headed = false;
    let lines: Vec<&str> = text.lines().collect();
    for block in lines.chunk_by(|one, other| one.starts_with(' ') == other.starts_with(' ')) {
        if block[0].starts_with(' ') {
            roff.control("RS", ["4"]).control("nf", []);
            for line in block {
                roff.text([roman(line.strip_prefix("  ").unwrap_or(line))]);
            }
            roff.control("fi", []).control("RE", []);
            continue;
        }
        for line in block {
            match line.strip_suffix(':') {
                _ if line.is_empty() => headed = false,
                Some(heading) => {
                    roff.control("SH", [section(heading).as_str()]);
                    headed = true;
                }
                None => {
                    if !std::mem::replace(&mut headed, true) {
                        roff.control("SH", ["NOTES"]);
                    }
                    roff.text([roman(*line)]);
                }
            }
        }
    }
    roff.to_roff()
}

/// The heading as manual pages have it.
fn section(heading: &str) -> String {
    match heading {
        "Exit codes" => "EXIT STATUS".to_owned(),
        "Example" => "EXAMPLES".to_owned(),
        other => other.to_uppercase(),
    }
}

fn see_also(command: &Command, whole: &Command) -> String {
    let root = whole.get_name();
    let mut others: Vec<String> = if command.get_name() == root {
        shown(whole).map(|command| format!("{root}-{}", command.get_name())).collect()
    } else {
        vec![root.to_owned()]
    };
    others.sort();
    let others = others.iter().map(|other| format!("\\fB{}\\fR(1)", other.replace('-', "\\-")));
    format!(".SH \"SEE ALSO\"\n{}\n", others.collect::<Vec<_>>().join(",\n"))
}

fn shown(whole: &Command) -> impl Iterator<Item = &Command> {
    whole.get_subcommands().filter(|command| !command.is_hide_set())
}

/// The page as every formatter takes it without a warning: an empty line is the request for one, no two breaks follow each
/// other, and what is not ASCII is written by its code point.
fn tidy(page: &str) -> String {
    let mut tidy = String::with_capacity(page.len());
    let (mut breaks, mut blank) = (false, false);
    for line in page.lines() {
        match line.trim() {
            "" | ".sp" => blank = true,
            ".br" => breaks = true,
            _ => {
                match (blank, breaks) {
                    // A section or an entry has its own space above it.
                    (true, _) if !line.starts_with('.') => tidy.push_str(".sp\n"),
                    (false, true) => tidy.push_str(".br\n"),
                    _ => {}
                }
                (breaks, blank) = (false, false);
                for c in line.chars() {
                    match c {
                        c if c.is_ascii() => tidy.push(c),
                        c => {
                            let _ = write!(tidy, "\\[u{:04X}]", u32::from(c));
                        }
                    }
                }
                tidy.push('\n');
            }
        }
    }
    tidy
}

#[cfg(test)]
mod tests;
