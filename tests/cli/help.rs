//! `--help` teaches.

use crate::command::quire;

const COMMANDS: [&str; 18] = [
    "serve",
    "worker",
    "health",
    "migrate",
    "verify",
    "projections",
    "backup",
    "restore",
    "audit",
    "keys",
    "fork",
    "user",
    "token",
    "replay",
    "export",
    "import",
    "admin",
    "bench",
];

#[test]
fn the_help_of_every_command_has_examples_and_its_exit_codes() {
    let overview = quire(["--help"]).succeeds();
    for command in COMMANDS {
        assert!(overview.contains(&format!("\n  {command} ")), "{command} is not in {overview}");
        let help = quire([command, "--help"]).succeeds();
        for part in ["Examples:\n", &format!("\n  quire {command}"), "Exit code: 0 "] {
            assert!(help.contains(part), "no {part:?} in the help of {command}: {help}");
        }
    }
}

/// Each says what it does in a line, and how its options are named.
#[test]
fn whatever_is_below_these_commands_has_a_help_too() {
    for command in ["audit", "keys", "user", "token", "projections", "admin", "admin webhooks"] {
        let words: Vec<_> = command.split(' ').collect();
        let help = quire(words.iter().copied().chain(["--help"])).succeeds();
        let listed = help.split("Commands:\n").nth(1).unwrap_or_else(|| panic!("no commands in {help}"));
        let lines = listed.lines().take_while(|line| !line.is_empty());
        for line in lines.map(str::trim).filter(|line| !line.starts_with("help ")) {
            let (verb, about) = line.split_once(' ').unwrap_or((line, ""));
            assert!(!about.trim().is_empty(), "{command} {verb} does not say what it does");
            let help = quire(words.iter().copied().chain([verb, "--help"])).succeeds();
            assert!(help.contains(&format!("Usage: quire {command} {verb}")), "{help}");
        }
    }
}

#[test]
fn the_help_of_the_configuration_does_so_too() {
    for verb in ["check", "show"] {
        let help = quire(["config", verb, "--help"]).succeeds();
        for part in ["Examples:\n", &format!("\n  quire config {verb}"), "Exit code: 0"] {
            assert!(help.contains(part), "no {part:?} in the help of {verb}: {help}");
        }
    }
}

#[test]
fn every_command_tells_the_version() {
    for args in [vec!["--version"], vec!["serve", "--version"], vec!["verify", "-V"]] {
        assert!(quire(args).succeeds().trim_end().ends_with(env!("CARGO_PKG_VERSION")));
    }
}

#[test]
fn an_option_that_is_not_known_is_named() {
    let ran = quire(["verify", "--dta", "x"]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.err.starts_with("error: ") && ran.err.contains("'--dta'"), "{}", ran.err);
}
