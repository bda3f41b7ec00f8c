//! Settings of OpenID Connect providers: for each a table of the file, `[oidc.google]`, or variables `QUIRE_OIDC_GOOGLE_…`.
//!
//! How many there are is known only when the file, the variables and the command line have been looked at. So every provider that
//! is named there gets flags of its own before the line is parsed; from then on these are flags like any others.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::error::Error;
use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches, value_parser};

use super::{ConfigFile, Secret, Switch};
use crate::auth::oidc::Provider;

/// The commands that have this flag know of providers.
const BESIDE: &str = "public_url";

/// Letters of a provider's name, which is part of addresses.
const MAX_NAME: usize = 32;

/// What is asked for where nothing is said.
const SCOPES: [&str; 3] = ["openid", "email", "profile"];

/// Keys of a provider, what they take, and what they are for.
const KEYS: [(&str, &str, &str); 9] = [
    ("label", "TEXT", "What the button for this provider says [default: its name]"),
    ("issuer", "URL", "Address of the provider, as its tokens name it; https, or on this machine"),
    ("client_id", "TEXT", "Name that the provider knows this server by"),
    (SECRET, "TEXT", "Secret that goes with the name; a client without one has only PKCE"),
    ("scopes", "SCOPE", "What is asked for (comma separated) [default: openid,email,profile]"),
    (
        "domains",
        "DOMAIN",
        "Domains of proved mail addresses whose owners may sign in (comma separated) [default: any]",
    ),
    ("create", "on|off", "Whether somebody who comes for the first time gets an account [default: on]"),
    ("admin_claim", "NAME=VALUE", "Claim of ID tokens that makes an administrator, and its absence none"),
    (
        "ca",
        "FILE",
        "Authority (PEM) that has signed the provider's certificate; without one those of the system are trusted",
    ),
];

const SECRET: &str = "client_secret";

/// The providers, by their names.
#[derive(Clone, Debug, Default)]
pub struct OidcSettings(BTreeMap<String, OneProvider>);

/// What one of them is told. A variable that is set to nothing is not set.
#[derive(Clone, Debug, Default)]
struct OneProvider {
    texts: BTreeMap<String, String>,
    lists: BTreeMap<String, Vec<String>>,
    secret: Option<Secret>,
    create: Option<Switch>,
}

/// Finds the names of providers among the keys of the file, the variables, and the words of the command line.
pub fn providers(
    file: Option<&ConfigFile>,
    variables: impl Iterator<Item = String>,
    words: impl Iterator<Item = String>,
) -> BTreeSet<String> {
    let keys = file.into_iter().flat_map(|file| &file.settings).map(|setting| setting.key.clone());
    let variables = variables.filter_map(|name| Some(name.strip_prefix("QUIRE_")?.to_ascii_lowercase()));
    let words = words.filter_map(|word| {
        let flag = word.strip_prefix("--")?;
        Some(flag.split('=').next()?.replace('-', "_"))
    });
    let all = keys.chain(variables).chain(words);
    all.filter_map(|key| Some(parts(key.strip_suffix("_file").unwrap_or(&key))?.0.to_owned())).collect()
}

/// Gives every command that knows of providers the flags of these.
pub fn with_providers(command: Command, names: &BTreeSet<String>) -> Command {
    let knows = command.get_arguments().any(|flag| flag.get_id() == BESIDE);
    let mut command = if knows {
        command.args(names.iter().flat_map(|name| KEYS.iter().map(move |key| flag(name, key))))
    } else {
        command
    };
    for inner in command.get_subcommands_mut() {
        *inner = with_providers(std::mem::take(inner), names);
    }
    command
}

/// Takes `oidc_NAME_KEY` apart; `None` when it is nothing of the kind.
fn parts(id: &str) -> Option<(&str, &str)> {
    let (name, key) = id.strip_prefix("oidc_")?.split_once('_')?;
    let is_name = (1..=MAX_NAME).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    (is_name && KEYS.iter().any(|(known, ..)| *known == key)).then_some((name, key))
}

fn flag(provider: &str, (key, value, help): &(&'static str, &'static str, &'static str)) -> Arg {
    let id = format!("oidc_{provider}_{key}");
    let flag = Arg::new(id.clone())
        .long(id.replace('_', "-"))
        .env(OsString::from(format!("QUIRE_{}", id.to_ascii_uppercase())))
        .value_name(*value)
        .help(*help);
    match *key {
        SECRET => flag.value_parser(value_parser!(Secret)).hide_env_values(true),
        "create" => flag.value_parser(value_parser!(Switch)),
        "scopes" | "domains" => flag.value_delimiter(',').action(ArgAction::Append),
        _ => flag,
    }
}

impl Args for OidcSettings {
    fn augment_args(command: Command) -> Command {
        command
    }

    fn augment_args_for_update(command: Command) -> Command {
        command
    }
}

impl FromArgMatches for OidcSettings {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let mut settings = Self::default();
        settings.update_from_arg_matches(matches)?;
        Ok(settings)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        for id in matches.ids().map(clap::Id::as_str) {
            let Some((name, key)) = parts(id) else { continue };
            let one = self.0.entry(name.to_owned()).or_default();
            match key {
                SECRET => one.secret = matches.get_one::<Secret>(id).cloned(),
                "create" => one.create = matches.get_one::<Switch>(id).copied(),
                "scopes" | "domains" => {
                    let values = matches.get_many::<String>(id).into_iter().flatten();
                    let values =
                        values.map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
                    one.lists.insert(key.to_owned(), values.collect());
                }
                _ => {
                    let value = matches.get_one::<String>(id).map(String::as_str).unwrap_or_default();
                    one.texts.insert(key.to_owned(), value.to_owned());
                }
            }
        }
        Ok(())
    }
}

impl OidcSettings {
    /// Returns the providers, in order of their names.
    ///
    /// # Errors
    /// One of them lacks something, or is told something that cannot be.
    pub fn providers(&self) -> anyhow::Result<Vec<Provider>> {
        let told = self.0.iter().filter(|(_, one)| one.is_told());
        told.map(|(name, one)| one.provider(name).with_context(|| format!("[oidc.{name}]"))).collect()
    }
}

impl OneProvider {
    /// Compose files set variables to nothing.
    fn is_told(&self) -> bool {
        self.texts.values().any(|text| !text.is_empty())
    }

    fn text(&self, key: &str) -> Option<&str> {
        self.texts.get(key).map(String::as_str).filter(|text| !text.is_empty())
    }

    fn list(&self, key: &str) -> Vec<String> {
        self.lists.get(key).cloned().unwrap_or_default()
    }

    fn provider(&self, name: &str) -> anyhow::Result<Provider> {
        let needed = |key: &str| self.text(key).with_context(|| format!("{key} is missing"));
        let issuer = needed("issuer")?;
        let scopes = Some(self.list("scopes")).filter(|scopes| !scopes.is_empty());
        let admin = self.text("admin_claim").map(|claim| {
            let parts = claim.split_once('=').filter(|(name, value)| !name.is_empty() && !value.is_empty());
            let (name, value) = parts.context("admin_claim is NAME=VALUE, such as groups=quire-admins")?;
            anyhow::Ok((name.to_owned(), value.to_owned()))
        });
        let secret = self.secret.as_ref().map(Secret::expose).filter(|secret| !secret.is_empty());
        let domain = |domain: &String| domain.trim_start_matches('@').to_lowercase();
        Ok(Provider {
            name: name.to_owned(),
            label: self.text("label").unwrap_or(name).to_owned(),
            issuer: issuer.to_owned(),
            client_id: needed("client_id")?.to_owned(),
            client_secret: secret.map(str::to_owned),
            scopes: scopes.unwrap_or_else(|| SCOPES.map(str::to_owned).to_vec()),
            domains: self.list("domains").iter().map(domain).collect(),
            creates: self.create.is_none_or(Switch::is_on),
            admin: admin.transpose()?,
            authorities: self.text("ca").map(PathBuf::from),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::lay;
    use super::*;

    /// What a file and a line make.
    fn read(file: &str, line: &[&str]) -> anyhow::Result<Vec<Provider>> {
        let file = ConfigFile::parse("q.toml", file);
        let names = providers(Some(&file), std::iter::empty(), line.iter().map(ToString::to_string));
        let command = Command::new("quire").arg(Arg::new(BESIDE).long("public-url"));
        let layers = lay(with_providers(command, &names), Some(file), &|_| None);
        anyhow::ensure!(layers.complaints.is_empty(), "{:?}", layers.complaints);
        let matches = layers.command.get_matches_from([&["quire"], line].concat());
        OidcSettings::from_arg_matches(&matches)?.providers()
    }

    #[test]
    fn a_table_is_a_provider() {
        let file = "[oidc.google]\nissuer = 'https://accounts.google.com'\nclient-id = 'q'\nclient_secret = 's'\n\
            domains = ['@Example.org', 'example.net']\ncreate = false\n\
            [oidc.corp]\nissuer = 'https://id.corp'\nclient_id = 'x'\nadmin_claim = 'groups=ops=1'\n";
        let read = read(file, &["--oidc-corp-label", "Corp", "--oidc-corp-scopes=openid,groups"]).unwrap();
        let [corp, google] = &read[..] else { panic!("two of them") };
        assert_eq!((&*corp.name, &*corp.label, &*corp.client_id), ("corp", "Corp", "x"));
        assert_eq!((corp.scopes.join(" "), corp.creates), ("openid groups".to_owned(), true));
        assert_eq!(corp.admin, Some(("groups".to_owned(), "ops=1".to_owned())));
        assert_eq!((&*google.label, google.client_secret.as_deref()), ("google", Some("s")));
        assert_eq!(google.scopes, SCOPES);
        assert_eq!((google.domains.join(" "), google.creates), ("example.org example.net".to_owned(), false));
    }

    #[test]
    fn what_is_missing_or_makes_no_sense_is_named() {
        let told = |file: &str| format!("{:#}", read(file, &[]).err().expect("it is refused"));
        assert_eq!(told("[oidc.a]\nissuer = 'https://x'\n"), "[oidc.a]: client_id is missing");
        assert_eq!(told("[oidc.a]\nclient_id = 'x'\n"), "[oidc.a]: issuer is missing");
        let claim = told("[oidc.a]\nissuer = 'https://x'\nclient_id = 'x'\nadmin_claim = 'groups'\n");
        assert!(claim.contains("NAME=VALUE"), "{claim}");
        let misspelt = told("[oidc.a]\nissuer = 'https://x'\nclient_idd = 'x'\n");
        assert!(misspelt.contains("is oidc_a_client_id meant?"), "{misspelt}");
        assert!(read("[oidc.a]\nissuer = ''\nclient_id = ''\n", &[]).unwrap().is_empty(), "nothing is told");
    }

    #[test]
    fn variables_name_providers_and_secrets_may_be_in_files() {
        let variables =
            ["QUIRE_OIDC_CORP_ISSUER", "QUIRE_OIDC_B_CLIENT_SECRET_FILE", "QUIRE_OIDC_C_X", "HOME"];
        let names = providers(None, variables.iter().map(ToString::to_string), std::iter::empty());
        assert_eq!(names.into_iter().collect::<Vec<_>>(), ["b", "corp"]);
    }
}
