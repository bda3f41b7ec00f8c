//! `--help` teaches.

use crate::command::quire;

const COMMANDS: [&str; 8] = ["serve", "health", "migrate", "verify", "replay", "export", "import", "bench"];

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
