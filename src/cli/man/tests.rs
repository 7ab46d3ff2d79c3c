//! Every command has a page, and a page says all that help says, but for what is hidden.

use super::super::parse;
use super::*;
use crate::command::Document;

fn pages() -> Vec<Document> {
    let args = ManArgs { command: None, out: Some("man1".into()) };
    docs_job(args, parse::command()).documents
}

fn text(document: &Document) -> &str {
    std::str::from_utf8(&document.text).unwrap()
}

#[test]
fn every_command_has_a_page_that_names_its_flags() {
    let pages = pages();
    let mut whole = parse::command();
    whole.build();
    let mut expected = vec!["kvsweep.1".to_owned()];
    for command in whole.get_subcommands().filter(|command| command.get_name() != "help") {
        let name = format!("kvsweep-{}.1", command.get_name());
        let page = text(pages.iter().find(|page| page.name == name).unwrap_or_else(|| panic!("no {name}")));
        for arg in command.get_opts() {
            let flag = format!("\\-\\-{}", arg.get_long().unwrap().replace('-', "\\-"));
            let named = page.split("\\fB").any(|rest| rest.split("\\fR").next() == Some(&flag));
            assert_eq!(named, !arg.is_hide_set(), "{name}: {flag}");
        }
        expected.push(name);
    }
    assert_eq!(pages.iter().map(|page| page.name.clone()).collect::<Vec<_>>(), expected);
}

#[test]
fn a_page_is_plain_and_has_the_sections_of_a_manual() {
    for page in pages() {
        let text = text(&page);
        assert!(text.is_ascii() && text.lines().all(|line| !line.trim().is_empty()), "{}", page.name);
        for section in [".TH \"KVSWEEP", ".SH NAME\n", ".SH SYNOPSIS\n", ".SH \"SEE ALSO\"\n"] {
            assert!(text.contains(section), "{}: {section}", page.name);
        }
        assert!(!text.contains(".SH EXTRA"), "{}", page.name);
        assert_eq!(text.matches("\n.nf\n").count(), text.matches("\n.fi\n").count(), "{}", page.name);
    }
    let root = pages().remove(0);
    assert!(text(&root).contains(".SH \"EXIT STATUS\"\n.RS 4\n.nf\n"), "{}", text(&root));
}

#[test]
fn one_page_is_printed_and_no_other() {
    let one = |command: Option<&str>| {
        let args = ManArgs { command: command.map(str::to_owned), out: None };
        docs_job(args, parse::command()).documents.into_iter().map(|page| page.name).collect::<Vec<_>>()
    };
    assert_eq!(one(None), ["kvsweep.1"]);
    assert_eq!(one(Some("delete")), ["kvsweep-delete.1"]);
}
