//! What a Markdown page holds: sections, commands with the output that is shown below them, code in its prose, links.

/// One command of a page, as it stands there.
#[derive(Debug, Clone)]
pub struct Command {
    /// The command, without a prompt; continued lines are joined.
    pub text: String,
    /// What the page shows of its output; `None` where it shows none.
    pub shown: Option<String>,
    /// The exit code that the page says it has: `# exit code 3` behind it, else 0.
    pub code: i32,
}

/// What stands below one `## ` heading.
#[derive(Debug, Default)]
pub struct Section {
    pub title: String,
    pub commands: Vec<Command>,
    /// Blocks of TOML: configuration that the commands read.
    pub toml: Vec<String>,
    /// Spans of code in the prose and in tables.
    pub spans: Vec<String>,
    /// Targets of links.
    pub links: Vec<String>,
}

/// The sections of a page; the first one is what stands above the first heading.
pub fn sections(text: &str) -> Vec<Section> {
    let mut sections = vec![Section::default()];
    let mut prose = String::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let section = sections.last_mut().expect("one at least");
        if let Some(language) = line.trim_start().strip_prefix("```") {
            let block: Vec<&str> = lines.by_ref().take_while(|line| line.trim_start() != "```").collect();
            match language {
                "sh" | "bash" => section.commands.extend(script(&block)),
                "console" => section.commands.extend(session(&block)),
                "toml" => section.toml.push(block.join("\n")),
                _ => {}
            }
        } else if let Some(title) = line.strip_prefix("## ") {
            section.take_prose(&std::mem::take(&mut prose));
            sections.push(Section { title: title.to_owned(), ..Section::default() });
        } else {
            prose.push_str(line);
            prose.push('\n');
        }
    }
    sections.last_mut().expect("one at least").take_prose(&prose);
    sections
}

impl Section {
    fn take_prose(&mut self, prose: &str) {
        self.spans.extend(prose.split('`').skip(1).step_by(2).map(|span| span.replace('\n', " ")));
        let targets = prose.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        self.links.extend(targets.map(str::to_owned));
    }
}

/// A script: every line is a command, a backslash at its end continues it.
fn script(block: &[&str]) -> Vec<Command> {
    let joined = block.join("\n").replace("\\\n", " ");
    let lines = joined.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(|line| command(line, None)).collect()
}

/// A session: commands behind `$ `, and what they print.
fn session(block: &[&str]) -> Vec<Command> {
    let mut commands: Vec<Command> = Vec::new();
    for line in block {
        if let Some(text) = line.strip_prefix("$ ") {
            commands.push(command(text, Some(String::new())));
        } else {
            let shown = commands.last_mut().and_then(|command| command.shown.as_mut());
            let shown = shown.unwrap_or_else(|| panic!("output without a command: {line}"));
            shown.push_str(line);
            shown.push('\n');
        }
    }
    commands
}

fn command(line: &str, shown: Option<String>) -> Command {
    let said = line.split("# exit code ").nth(1);
    let code = said.map(|said| said.chars().take_while(char::is_ascii_digit).collect::<String>());
    Command { text: line.to_owned(), shown, code: code.map_or(0, |code| code.parse().expect("an exit code")) }
}

/// The name that GitHub gives a heading: small letters, blanks as hyphens, other marks left out.
pub fn anchor(heading: &str) -> String {
    let kept = heading.trim().to_lowercase();
    let kept = kept.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

/// Output without what differs from run to run: durations, speeds, moments. A line `…` stands for any lines.
pub fn timeless(text: &str) -> Vec<String> {
    text.lines().map(timeless_line).collect()
}

fn timeless_line(line: &str) -> String {
    let mut words: Vec<String> = Vec::new();
    for word in line.split_whitespace().map(timeless_word) {
        // `1m 2s` is one duration.
        if word.starts_with('#') && words.last().is_some_and(|last| last == "#") {
            words.pop();
        }
        words.push(word);
    }
    words.join(" ")
}

fn timeless_word(word: &str) -> String {
    let is_moment = |part: &str| {
        part.len() >= 16 && part.as_bytes()[8] == b'T' && part.bytes().all(|c| c.is_ascii_digit() || b"TZ".contains(&c))
    };
    let (core, mark) = word.split_at(word.trim_end_matches([',', ';', ':', ')']).len());
    let seconds = ["ms", "s", "m", "h"].iter().find_map(|unit| core.strip_suffix(unit)).unwrap_or_default();
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|c| c.is_ascii_digit() || c == b'.');
    if is_number(seconds) || (core.contains('.') && is_number(core)) {
        return format!("#{mark}");
    }
    let parts = core.split(['-', '.']).map(|part| if is_moment(part) { "#" } else { part });
    format!("{}{mark}", parts.collect::<Vec<_>>().join("-"))
}

/// Whether output is what a page shows, `…` lines standing for any number of others.
pub fn is_shown(shown: &[String], output: &[String]) -> bool {
    match shown {
        [] => output.is_empty(),
        [first, rest @ ..] if first == "…" => (0..=output.len()).any(|skip| is_shown(rest, &output[skip..])),
        [first, rest @ ..] => output.first() == Some(first) && is_shown(rest, &output[1..]),
    }
}

#[test]
fn sessions_are_compared_without_times_and_with_nothing_else_left_out() {
    let page =
        "# T\n## A `x`\n[l](docs/a.md#b)\n```console\n$ kvsweep a  # exit code 3\n480 records in 2.3s\n…\nend\n```\n";
    let sections = sections(page);
    let command = &sections[1].commands[0];
    assert_eq!((command.code, sections[1].links[0].as_str()), (3, "docs/a.md#b"));
    let shown = timeless(command.shown.as_deref().expect("output"));
    let is_shown = |output| is_shown(&shown, &timeless(output));
    assert!(is_shown("480 records in 1m 17s\nmore\nend\n"));
    assert!(is_shown("480 records in 0.1s\nend\n"));
    assert!(!is_shown("479 records in 2.3s\nend\n"));
    assert!(!is_shown("480 records in 2.3s\nend\nmore\n"));
    assert_eq!(timeless_word("kvsweep-report-20261124T053527Z.csv"), "kvsweep-report-#-csv");
    assert_eq!(script(&["a \\", "  b", "", "# c"]).len(), 1);
    assert_eq!(anchor("Who is trusted, and `--why`?"), "who-is-trusted-and---why");
}
