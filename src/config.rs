//! The managed configuration: `mote_managed.json`, in the schema of `mdatp_managed.json`.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::filter::{Filter, RuleError, RuleKind};
use crate::host::provider::Wanted;

/// Where it is unless `--config` says otherwise.
pub const DEFAULT_PATH: &str = "/etc/mote/mote_managed.json";

/// A larger file is not a configuration.
const MAX_BYTES: u64 = 1 << 20;

/// What the sensor does differently from its defaults.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// Exclusions.
    pub filter: Filter,
    /// The provider.
    pub provider: Wanted,
    /// Keys that mean nothing to the sensor: of other products, or not spelled right.
    pub unused: Vec<String>,
}

/// Why a configuration is not taken.
#[derive(Debug)]
pub enum ConfigError {
    /// It could not be read.
    Read(io::Error),
    /// It is larger than any configuration.
    TooLarge,
    /// It is not JSON, or not of this shape: line and column are in it.
    Json(serde_json::Error),
    /// An exclusion, by its place in the list from 1, cannot be used.
    Exclusion(usize, RuleError),
    /// An exclusion is of a kind that does not exist at the sensor.
    Unsupported(usize, &'static str),
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ConfigError::Read(error) => write!(f, "it could not be read: {error}"),
            ConfigError::TooLarge => {
                write!(f, "it has more than the {MAX_BYTES} bytes that are read")
            }
            ConfigError::Json(error) => error.fmt(f),
            ConfigError::Exclusion(place, error) => write!(f, "exclusion {place}: {error}"),
            ConfigError::Unsupported(place, what) => write!(f, "exclusion {place}: {what}"),
        }
    }
}

impl std::error::Error for ConfigError {}

/// Keys of other products in the same file. Flattening them in makes serde take an object
/// only: a struct alone may also be written as an array.
type Others = BTreeMap<String, IgnoredAny>;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", expecting = "an object, {\"exclusionSettings\": ...}")]
struct Managed {
    #[serde(default)]
    exclusion_settings: ExclusionSettings,
    #[serde(default)]
    features: Features,
    #[serde(flatten)]
    others: Others,
}

#[derive(Default, Deserialize)]
struct ExclusionSettings {
    #[serde(default)]
    exclusions: Vec<Exclusion>,
    #[serde(flatten)]
    others: Others,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Features {
    #[serde(default)]
    ebpf_supplementary_event_provider: Switch,
    #[serde(flatten)]
    others: Others,
}

#[derive(Clone, Copy, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Switch {
    #[default]
    Enabled,
    Disabled,
}

#[derive(Deserialize)]
#[serde(tag = "$type")]
enum Exclusion {
    #[serde(rename = "excludedPath", rename_all = "camelCase")]
    Path {
        path: String,
        #[serde(default)]
        is_directory: bool,
        #[serde(default = "global")]
        scopes: Vec<Scope>,
    },
    #[serde(rename = "excludedFileName")]
    Process {
        name: String,
        #[serde(default = "global")]
        scopes: Vec<Scope>,
    },
    #[serde(rename = "excludedFileExtension")]
    Extension {
        #[serde(default = "global")]
        scopes: Vec<Scope>,
    },
}

#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Scope {
    /// Of a virus scanner that reads the same file: not the sensor's.
    Epp,
    Global,
}

/// Without `scopes` an exclusion of the managed file is global.
fn global() -> Vec<Scope> {
    vec![Scope::Global]
}

impl Config {
    /// Reads a configuration file.
    pub fn load(path: &Path) -> Result<Config, ConfigError> {
        let mut json = Vec::new();
        let file = File::open(path).map_err(ConfigError::Read)?;
        file.take(MAX_BYTES + 1).read_to_end(&mut json).map_err(ConfigError::Read)?;
        if json.len() as u64 > MAX_BYTES {
            return Err(ConfigError::TooLarge);
        }
        Config::parse(&json)
    }

    /// Reads a configuration.
    pub fn parse(json: &[u8]) -> Result<Config, ConfigError> {
        let managed: Managed = serde_json::from_slice(json).map_err(ConfigError::Json)?;
        let provider = match managed.features.ebpf_supplementary_event_provider {
            Switch::Enabled => Wanted::Ebpf,
            Switch::Disabled => Wanted::Netlink,
        };
        let mut config = Config { provider, unused: unused(&managed), ..Config::default() };
        for (place, exclusion) in (1..).zip(&managed.exclusion_settings.exclusions) {
            let (kind, path, scopes) = match exclusion {
                Exclusion::Path { path, is_directory: false, scopes } => {
                    (RuleKind::File, path, scopes)
                }
                Exclusion::Path { path, is_directory: true, scopes } => {
                    (RuleKind::Folder, path, scopes)
                }
                Exclusion::Process { name, scopes } => (RuleKind::Process, name, scopes),
                Exclusion::Extension { scopes } => {
                    if scopes.contains(&Scope::Global) {
                        return Err(ConfigError::Unsupported(
                            place,
                            "global exclusions have no file extensions; give it the scope \"epp\" \
                             or name the folder",
                        ));
                    }
                    continue;
                }
            };
            if scopes.contains(&Scope::Global) {
                config
                    .filter
                    .add(kind, path)
                    .map_err(|error| ConfigError::Exclusion(place, error))?;
            }
        }
        Ok(config)
    }
}

fn unused(managed: &Managed) -> Vec<String> {
    let sections = [
        ("", &managed.others),
        ("exclusionSettings.", &managed.exclusion_settings.others),
        ("features.", &managed.features.others),
    ];
    let keys = |(section, others): (&'static str, _)| {
        let others: &Others = others;
        others.keys().map(move |key| format!("{section}{key}"))
    };
    sections.into_iter().flat_map(keys).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Action, Event};

    const EXAMPLE: &str = r#"{
        "exclusionSettings": {"mergePolicy": "merge", "exclusions": [
            {"$type": "excludedPath", "isDirectory": true, "path": "/home/*/git", "scopes": ["epp"]},
            {"$type": "excludedPath", "isDirectory": false, "path": "/var/log/x.log",
             "scopes": ["epp", "global"]},
            {"$type": "excludedPath", "isDirectory": true, "path": "/srv"},
            {"$type": "excludedFileExtension", "extension": ".pdf", "scopes": ["epp"]},
            {"$type": "excludedFileName", "name": "/usr/bin/make", "scopes": ["global"]}]},
        "features": {"ebpfSupplementaryEventProvider": "enabled"}}"#;

    #[test]
    fn the_schema_of_the_model_is_read() {
        let config = Config::parse(EXAMPLE.as_bytes()).unwrap();
        assert_eq!(config.unused, ["exclusionSettings.mergePolicy"]);
        let mut event = Event::new();
        event.action = Action::Open;
        for (path, excluded) in
            [("/var/log/x.log", true), ("/srv/a", true), ("/home/u/git/a", false)]
        {
            event.path.clear();
            event.path.extend_from_slice(path.as_bytes()).unwrap();
            assert_eq!(config.filter.excludes(&event), excluded, "{path}");
        }
        event.executable.extend_from_slice(b"/usr/bin/make").unwrap();
        assert!(config.filter.excludes(&event));
    }

    #[test]
    fn the_provider_is_ebpf_unless_it_is_disabled() {
        for (features, provider) in [
            ("{}", Wanted::Ebpf),
            (r#"{"ebpfSupplementaryEventProvider":"enabled"}"#, Wanted::Ebpf),
            (r#"{"ebpfSupplementaryEventProvider":"disabled"}"#, Wanted::Netlink),
        ] {
            let json = format!(r#"{{"features":{features}}}"#);
            let config = Config::parse(json.as_bytes()).unwrap();
            assert_eq!((config.provider, &config.unused[..]), (provider, &[][..]), "{json}");
        }
        assert_eq!(Config::default().provider, Wanted::Ebpf);
    }

    #[test]
    fn an_error_names_its_place() {
        for (json, expected) in [
            ("{", "EOF while parsing an object at line 1 column 1"),
            (
                r#"{"features":{"ebpfSupplementaryEventProvider":"off"}}"#,
                "expected `enabled` or `disabled`",
            ),
            (
                r#"{"exclusionSettings":{"exclusions":[{"$type":"excludedPath","path":"a"}]}}"#,
                "exclusion 1: \"a\" is not an absolute path",
            ),
            (
                r#"{"exclusionSettings":{"exclusions":[{"$type":"excludedFileExtension","extension":"x"}]}}"#,
                "exclusion 1: global exclusions have no file extensions",
            ),
            ("[]", "invalid type: sequence, expected an object"),
            (r#"{"features":[]}"#, "invalid type: sequence"),
        ] {
            let error = Config::parse(json.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(expected), "{json}: {error}");
        }
    }
}
