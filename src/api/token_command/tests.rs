use super::*;

fn started(text: &str) -> Result<String, TokenCommandError> {
    let command = TokenCommand::parse(text)?;
    command.start()?;
    Ok(command.in_use().unwrap().1.to_str().unwrap().to_owned())
}

#[test]
fn words_are_split_as_a_shell_splits_them_and_no_shell_runs() {
    assert_eq!(started("printf '%s' \"a;b\"$HOME").unwrap(), "Bearer a;b$HOME");
    assert_eq!(started(r"printf a\$b").unwrap(), "Bearer a$b");
    for text in ["", "  ", "''"] {
        assert!(matches!(TokenCommand::parse(text), Err(TokenCommandError::Empty)), "{text:?}");
    }
    assert!(matches!(TokenCommand::parse("op 'read"), Err(TokenCommandError::Quote)));
}

#[test]
fn one_newline_ends_the_token_and_nothing_else_is_cut_off() {
    for (printed, token) in [("token", "token"), (r"token\n", "token"), (r"token\r\n", "token")] {
        assert_eq!(started(&format!("printf '{printed}'")).unwrap(), format!("Bearer {token}"));
    }
    for printed in ["", r"\n", r"token\n\n", " token", "token ", r"two\nlines", "two words", "t\u{f6}ken", r"a\0b"] {
        let error = started(&format!("printf '{printed}'")).unwrap_err();
        let text = format!("{error} {error:?}");
        assert!(matches!(error, TokenCommandError::Token { .. }) && !text.contains("token\\n"), "{text}");
    }
}

#[test]
fn a_command_that_fails_gives_no_token_and_is_named_without_its_arguments() {
    let why = |text: &str| started(text).unwrap_err().to_string();
    assert_eq!(why("sh -c 'echo hunter2; exit 3'"), "sh ended with exit code 3");
    assert_eq!(why("sh -c 'kill -9 $$'"), "sh was ended by signal 9");
    assert_eq!(why("yes hunter2"), "yes printed more than 64 KiB");
    assert!(why("/no/such/program hunter2").starts_with("cannot run /no/such/program: "));
    let pasted = why("aBcDeFgHiJkLmNoPqRsTuVwXyZ-0123456789_ab");
    assert!(pasted.starts_with("cannot run the command: "), "{pasted}");
}

#[test]
fn a_process_that_is_left_behind_holds_nothing_up() {
    assert_eq!(started("sh -c 'sleep 100 & echo token'").unwrap(), "Bearer token");
}

/// Prints another token each time.
fn counter(folder: &tempfile::TempDir) -> TokenCommand {
    let runs = folder.path().join("runs");
    let script = format!("echo >>{0}; echo token-$(wc -l <{0})", runs.display());
    let command = TokenCommand::parse(&shell_words::join(["sh", "-c", &script])).unwrap();
    command.start().unwrap();
    command
}

#[tokio::test]
async fn each_token_has_one_successor_however_many_requests_it_fails() {
    let folder = tempfile::tempdir().unwrap();
    let command = counter(&folder);
    let (one, other) = tokio::join!(command.refused(1, 10), command.refused(1, 11));
    assert_eq!((one, other), (AfterRefusal::Repeat, AfterRefusal::Repeat));
    assert_eq!(command.in_use().unwrap(), (2, "Bearer token-2".parse().unwrap()));
    assert_eq!(command.refused(2, 12).await, AfterRefusal::Accept, "it is fresh");
    command.accepted(1);
    assert_eq!(command.refused(2, 12).await, AfterRefusal::Accept, "that was the other one");
    command.accepted(2);
    assert_eq!(command.refused(2, 11).await, AfterRefusal::Accept, "it was repeated with this one");
    assert_eq!(command.refused(2, 12).await, AfterRefusal::Repeat);
    assert_eq!(command.refused(1, 13).await, AfterRefusal::Repeat, "late");
    assert_eq!(command.in_use().unwrap().0, 3);
    assert_eq!(command.redacted("token-1, token-2 and token-3"), "token-1, token-2 and token-3", "too short");
}

#[tokio::test]
async fn a_token_that_is_printed_again_had_its_run() {
    let folder = tempfile::tempdir().unwrap();
    let runs = folder.path().join("runs");
    let script = format!("echo >>{}; echo token", runs.display());
    let command = TokenCommand::parse(&shell_words::join(["sh", "-c", &script])).unwrap();
    command.start().unwrap();
    for request in 0..3 {
        assert_eq!(command.refused(1, request).await, AfterRefusal::Accept);
        command.accepted(1);
    }
    assert_eq!(std::fs::read(runs).unwrap().len(), 2);
}
