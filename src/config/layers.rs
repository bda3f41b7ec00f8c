//! Flags over environment over file over defaults, for whatever flags there are.
//!
//! The parser itself knows the first two and the last. What comes between them is handed to it as other defaults, so that a
//! flag which somebody adds works in the file too. Hence flags shall not `require` or exclude each other in the parser's
//! terms: it does not count a default as given.

use std::collections::{BTreeMap, HashMap};
use std::ffi::OsString;
use std::path::Path;

use clap::builder::{OsStr, Resettable};
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, ArgAction, ArgMatches, Command, parser::ValueSource};

use super::file::{ConfigFile, Setting, Value};
use super::{Complaint, Secret};

/// A variable, by its name. A parameter, so that tests bring their own.
pub type Variables<'a> = &'a dyn Fn(&str) -> Option<OsString>;

/// The parser with other defaults, and where each of them comes from.
#[derive(Debug)]
pub struct Layers {
    pub command: Command,
    /// What is wrong with the file and with the files of secrets.
    pub complaints: Vec<Complaint>,
    /// By key: where the value stands that is used unless flag or variable say otherwise.
    places: HashMap<String, String>,
}

/// Lays a file and the files of secrets below flags and variables.
pub fn lay(command: Command, file: Option<ConfigFile>, variables: Variables) -> Layers {
    let known = known_keys(&command);
    let mut laying = Laying { known: &known, below: BTreeMap::new(), complaints: Vec::new() };
    if let Some(file) = file {
        laying.complaints.extend(file.complaints);
        file.settings.into_iter().for_each(|setting| laying.setting(setting));
    }
    known.iter().for_each(|(key, flag)| laying.secret_variable(key, flag, variables));
    let Laying { below, complaints, .. } = laying;
    let places = below.iter().map(|(key, (place, _))| (key.clone(), place.clone())).collect();
    Layers { command: with_defaults(command, &below), complaints, places }
}

impl Layers {
    /// Tells where a flag's value comes from, for people; `None` when it has none.
    pub fn source(&self, matches: &ArgMatches, flag: &Arg) -> Option<String> {
        match matches.value_source(flag.get_id().as_str())? {
            ValueSource::CommandLine => Some(format!("--{}", flag.get_long().unwrap_or_default())),
            ValueSource::EnvVariable => flag.get_env().map(|name| name.to_string_lossy().into_owned()),
            _ => {
                Some(self.places.get(flag.get_id().as_str()).cloned().unwrap_or_else(|| "default".to_owned()))
            }
        }
    }
}

/// Complaints about variables: values that their flags do not take, and names that nothing has.
pub fn check_variables(
    command: &Command,
    names: impl Iterator<Item = String>,
    variables: Variables,
) -> Vec<Complaint> {
    let known = known_keys(command);
    let named: HashMap<String, &Arg> = known.values().map(|flag| (variable(flag), flag)).collect();
    let with_files = named.iter().filter(|(_, flag)| is_secret(flag)).map(|(name, _)| format!("{name}_FILE"));
    let all: Vec<String> = named.keys().cloned().chain(with_files).collect();
    let ours = names.filter(|name| name.starts_with("QUIRE_"));
    let mut complaints: Vec<_> = ours
        .filter_map(|name| match (named.get(&name), variables(&name)) {
            (Some(flag), Some(value)) => refused(flag, &Value::One(value.to_string_lossy().into_owned()))
                .map(|why| Complaint::new(&name, why)),
            (None, Some(_)) if !all.contains(&name) => Some(Complaint::new(
                &name,
                format!("there is no such variable{}", nearest(&name, all.iter())),
            )),
            _ => None,
        })
        .collect();
    complaints.sort_by_key(ToString::to_string);
    complaints
}

/// Whether a flag's value must not be printed.
pub fn is_secret(flag: &Arg) -> bool {
    let secret: clap::builder::ValueParser = clap::value_parser!(Secret).into();
    flag.is_hide_env_values_set() || flag.get_value_parser().type_id() == secret.type_id()
}

/// Every flag of any command that has a variable has a key as well.
fn known_keys(command: &Command) -> BTreeMap<String, Arg> {
    let own = command.get_arguments().filter(|flag| flag.get_long().is_some() && flag.get_env().is_some());
    // Which file is read cannot be told in a file.
    let own = own.filter(|flag| flag.get_id() != "config");
    let mut keys: BTreeMap<_, _> = own.map(|flag| (flag.get_id().to_string(), flag.clone())).collect();
    for inner in command.get_subcommands() {
        for (key, flag) in known_keys(inner) {
            keys.entry(key).or_insert(flag);
        }
    }
    keys
}

fn variable(flag: &Arg) -> String {
    flag.get_env().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// What is below flags and variables: place and values, by key.
type Below = BTreeMap<String, (String, Vec<OsString>)>;

struct Laying<'a> {
    known: &'a BTreeMap<String, Arg>,
    below: Below,
    complaints: Vec<Complaint>,
}

impl Laying<'_> {
    /// Takes a value of the file: a flag's own, or for a secret the name of the file that has it.
    fn setting(&mut self, Setting { key, place, value }: Setting) {
        if let Some(flag) = self.known.get(&key) {
            match refused(flag, &value) {
                Some(why) => self.complain(place, format!("{key}: {why}")),
                None => self.put(key, place, words(flag, &value)),
            }
        } else if let (Some(secret), Value::One(path)) = (self.secret_of(&key, "_file"), &value) {
            if self.below.contains_key(&secret) {
                self.complain(place, format!("{key} and {secret} are both given; one of them is wanted"));
            } else {
                self.secret_file(&secret, place, Path::new(path));
            }
        } else {
            let near =
                nearest(&key, self.known.iter().filter(|(_, flag)| !flag.is_hide_set()).map(|(key, _)| key));
            self.complain(place, format!("{key}: there is no such key{near}"));
        }
    }

    /// Takes a secret from the file that `…_FILE` names.
    fn secret_variable(&mut self, key: &str, flag: &Arg, variables: Variables) {
        let own = variable(flag);
        let name = format!("{own}_FILE");
        let given = |name: &str| variables(name).filter(|value| !value.is_empty());
        let Some(path) = given(&name).filter(|_| is_secret(flag)) else { return };
        if given(&own).is_some() {
            self.complain(name, format!("{own} is given too; one of them is wanted"));
        } else {
            self.secret_file(key, name, Path::new(&path));
        }
    }

    fn secret_of(&self, key: &str, ending: &str) -> Option<String> {
        let secret = key.strip_suffix(ending)?;
        self.known.get(secret).is_some_and(is_secret).then(|| secret.to_owned())
    }

    fn secret_file(&mut self, key: &str, place: String, path: &Path) {
        match std::fs::read_to_string(path) {
            // Editors and `echo` end a file with a line feed that is no part of the secret.
            Ok(text) => {
                let text =
                    text.strip_suffix('\n').map_or(&*text, |text| text.strip_suffix('\r').unwrap_or(text));
                self.put(key.to_owned(), place, vec![text.into()]);
            }
            Err(error) => self.complain(place, format!("{} cannot be read: {error}", path.display())),
        }
    }

    fn put(&mut self, key: String, place: String, values: Vec<OsString>) {
        self.below.insert(key, (place, values));
    }

    fn complain(&mut self, place: impl ToString, text: String) {
        self.complaints.push(Complaint::new(place, text));
    }
}

/// Tells why a flag does not take a value, in the parser's own words; `None` if it does.
fn refused(flag: &Arg, value: &Value) -> Option<String> {
    let long = flag.get_long()?;
    let words = words(flag, value);
    let alone = flag.clone().env(Resettable::<OsStr>::Reset).required(false);
    // By itself: what it has to do with other flags is not asked here.
    let line = words.iter().map(|word| {
        let mut argument = OsString::from(format!("--{long}="));
        argument.push(word);
        argument
    });
    let line: Vec<OsString> = std::iter::once("quire".into()).chain(line).collect();
    if matches!(flag.get_action(), ArgAction::SetTrue | ArgAction::SetFalse) {
        let fits = words.iter().all(|word| word == "true" || word == "false");
        return (!fits).then(|| "true or false is wanted".to_owned());
    }
    let error = Command::new("quire").arg(alone).try_get_matches_from(line).err()?;
    let shown: Vec<_> = words.iter().map(|word| word.to_string_lossy()).collect();
    let shown = if is_secret(flag) { "***".to_owned() } else { format!("{:?}", shown.join(",")) };
    Some(format!("{shown} is not {}: {}", wanted(flag), reason(&error)))
}

/// What a flag takes, as its help calls it.
fn wanted(flag: &Arg) -> String {
    let names = flag.get_value_names().unwrap_or_default();
    names.iter().map(clap::builder::Str::as_str).collect::<Vec<_>>().join(" ")
}

fn reason(error: &clap::Error) -> String {
    let one_of = match error.get(ContextKind::ValidValue) {
        Some(ContextValue::Strings(values)) if !values.is_empty() => Some(values.join(", ")),
        _ => None,
    };
    match (error.kind(), one_of) {
        (ErrorKind::InvalidValue, Some(values)) => format!("one of {values} is wanted"),
        (ErrorKind::InvalidValue, None) => "it is empty".to_owned(),
        (ErrorKind::TooManyValues | ErrorKind::ArgumentConflict, _) => "one value is wanted".to_owned(),
        _ => std::error::Error::source(error).map_or_else(|| error.kind().to_string(), ToString::to_string),
    }
}

/// A value of the file as words of a command line. What is `on` or `off` there may be `true` or `false` in a file.
fn words(flag: &Arg, value: &Value) -> Vec<OsString> {
    let switch = flag.get_possible_values().iter().any(|value| value.matches("on", false));
    match value {
        Value::One(text) => vec![text.into()],
        Value::Many(texts) => texts.iter().map(Into::into).collect(),
        Value::Switch(on) if switch => vec![if *on { "on" } else { "off" }.into()],
        Value::Switch(on) => vec![on.to_string().into()],
    }
}

/// ` (…)`, with the name that is most like another, if one is.
fn nearest<'a>(name: &str, names: impl Iterator<Item = &'a String>) -> String {
    let likeness = |other: &String| strsim::jaro_winkler(name, other);
    let best = names.max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
    best.filter(|best| likeness(best) > 0.8).map(|best| format!("; is {best} meant?")).unwrap_or_default()
}

/// Gives the flags of a command, and of those below it, their other defaults.
fn with_defaults(command: Command, below: &Below) -> Command {
    let mut command = command.mut_args(|flag| match below.get(flag.get_id().as_str()) {
        Some((_, values)) if flag.get_env().is_some() => {
            // A default is shown in the help, and a secret is not to be.
            let hidden = flag.is_hide_default_value_set() || is_secret(&flag);
            flag.default_values(values.iter().map(OsStr::from)).hide_default_value(hidden)
        }
        _ => flag,
    });
    for inner in command.get_subcommands_mut() {
        *inner = with_defaults(std::mem::take(inner), below);
    }
    command
}

#[cfg(test)]
#[path = "layers_tests.rs"]
mod tests;
