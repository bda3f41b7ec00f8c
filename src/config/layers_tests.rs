use clap::{CommandFactory as _, Parser};

use super::*;
use crate::config::{ServeOptions, Switch};

#[derive(Parser, Debug)]
struct Line {
    #[command(flatten)]
    serve: ServeOptions,
}

fn none(_: &str) -> Option<OsString> {
    None
}

/// Without variables: those of whoever runs the tests are not meant.
fn command() -> Command {
    Line::command().mut_args(|flag| match flag.get_env() {
        Some(name) => {
            let own = OsStr::from(format!("{}_OF_NOBODY", name.to_string_lossy()));
            flag.env(own)
        }
        None => flag,
    })
}

fn laid(text: &str) -> Layers {
    lay(command(), Some(ConfigFile::parse("q.toml", text)), &none)
}

fn told(text: &str) -> Vec<String> {
    laid(text).complaints.iter().map(ToString::to_string).collect()
}

#[test]
fn a_flag_is_above_the_file_and_the_file_above_the_default() {
    let layers = laid("workers = 3\ndocument-threads = 5\nguests = false\n[allowed]\nhosts = ['a', 'b,c']\n");
    assert!(layers.complaints.is_empty(), "{:?}", layers.complaints);
    let matches = layers.command.clone().get_matches_from(["quire", "--workers", "7"]);
    let serve = <Line as clap::FromArgMatches>::from_arg_matches(&matches).unwrap().serve;
    assert_eq!((serve.workers, serve.document_threads, serve.guests), (Some(7), Some(5), Switch::Off));
    assert_eq!(serve.allowed_hosts, ["a", "b", "c"]);
    assert_eq!(serve.passivate_after, 60);
    let source = |key: &str| {
        let flag = layers.command.get_arguments().find(|flag| flag.get_id() == key).unwrap();
        layers.source(&matches, flag)
    };
    assert_eq!(source("workers").as_deref(), Some("--workers"));
    assert_eq!(source("document_threads").as_deref(), Some("q.toml:2"));
    assert_eq!(source("passivate_after").as_deref(), Some("default"));
    assert_eq!(source("jwt_secret"), None);
}

#[test]
fn a_value_that_does_not_fit_is_told_with_what_is_wanted() {
    let told = told("listen = 'here'\nguests = 'perhaps'\nworkers = -1\ndatabase_connections = 9000\n");
    let begins = [
        "q.toml:1: listen: \"here\" is not HOST:PORT: HOST:PORT is wanted",
        "q.toml:2: guests: \"perhaps\" is not on|off: one of on, off is wanted",
        "q.toml:3: workers: \"-1\" is not N: ",
        "q.toml:4: database_connections: \"9000\" is not N: 9000 is not in 1..=500",
    ];
    assert_eq!(told.len(), begins.len(), "{told:?}");
    for (told, begin) in told.iter().zip(begins) {
        assert!(told.starts_with(begin), "{told:?} does not begin with {begin:?}");
    }
    assert_eq!(super::tests::told("data = ['a', 'b']").len(), 1, "one folder is wanted");
}

#[test]
fn an_unknown_key_is_told_with_the_one_that_is_like_it() {
    assert_eq!(told("listn = 1"), ["q.toml:1: listn: there is no such key; is listen meant?"]);
    assert_eq!(told("\nzzz = 1"), ["q.toml:2: zzz: there is no such key"]);
    assert_eq!(told("config = 'x'").len(), 1, "a file does not name a file");
}

#[test]
fn a_secret_may_be_in_a_file_of_its_own_and_is_in_no_message() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secret");
    std::fs::write(&path, "s3cret\n").unwrap();
    let from_file = laid(&format!("jwt_secret_file = {:?}", path.to_str().unwrap()));
    let name = |name: &str| (name == "QUIRE_JWT_SECRET_OF_NOBODY_FILE").then(|| path.clone().into());
    let from_variable = lay(command(), None, &name);
    for layers in [from_file, from_variable] {
        assert!(layers.complaints.is_empty(), "{:?}", layers.complaints);
        let help = layers.command.clone().render_long_help().to_string();
        assert!(!help.contains("s3cret"), "{help}");
        let matches = layers.command.clone().get_matches_from(["quire"]);
        let serve = <Line as clap::FromArgMatches>::from_arg_matches(&matches).unwrap().serve;
        assert_eq!(serve.jwt_secret.as_ref().unwrap().expose(), "s3cret");
        assert!(!format!("{serve:?}").contains("s3cret"));
    }
    assert!(told("jwt_secret_file = '/nowhere'")[0].contains("/nowhere cannot be read"));
    assert_eq!(told("listen_file = '/nowhere'")[0].split(' ').nth(1), Some("listen_file:"), "no secret");
    let both = |name: &str| name.starts_with("QUIRE_JWT_SECRET").then(|| "x".into());
    let complaints = lay(command(), None, &both).complaints;
    assert_eq!(complaints.len(), 1, "{complaints:?}");
}

#[test]
fn every_secret_is_of_a_type_that_does_not_print() {
    for (key, flag) in known_keys(&Line::command()) {
        let secret: clap::builder::ValueParser = clap::value_parser!(Secret).into();
        let typed = flag.get_value_parser().type_id() == secret.type_id();
        assert_eq!(typed, flag.is_hide_env_values_set(), "{key}");
    }
}

#[test]
fn a_variable_that_nothing_has_is_told() {
    let value = |name: &str| Some(if name == "QUIRE_WORKERS" { "many" } else { "x" }.into());
    let names = ["QUIRE_WORKERS", "QUIRE_LISTN", "QUIRE_JWT_SECRET_FILE", "PATH"];
    let told = check_variables(&Line::command(), names.into_iter().map(str::to_owned), &value);
    let told: Vec<String> = told.iter().map(ToString::to_string).collect();
    assert_eq!(told.len(), 2, "{told:?}");
    assert_eq!(told[0], "QUIRE_LISTN: there is no such variable; is QUIRE_LISTEN meant?");
    assert!(told[1].starts_with("QUIRE_WORKERS: \"many\" is not N"), "{told:?}");
}
