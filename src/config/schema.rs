//! The schema of `mdatp_managed.json`, which the managed file and the local one share.

use super::json::{Fields, Json, Node};
use super::{ConfigError, Place};
use crate::filter::RuleKind;
use crate::host::provider::Wanted;

/// What becomes of local exclusions: `exclusionSettings.mergePolicy`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MergePolicy {
    /// They are used beside the managed ones.
    #[default]
    Merge,
    /// They are not used.
    AdminOnly,
}

impl MergePolicy {
    /// As the managed file and output have it.
    pub const fn name(self) -> &'static str {
        match self {
            MergePolicy::Merge => "merge",
            MergePolicy::AdminOnly => "admin_only",
        }
    }
}

const MERGE_POLICIES: [(&str, MergePolicy); 2] = [
    (MergePolicy::Merge.name(), MergePolicy::Merge),
    (MergePolicy::AdminOnly.name(), MergePolicy::AdminOnly),
];

/// `features.ebpfSupplementaryEventProvider`.
pub(super) const PROVIDERS: [(&str, Wanted); 2] =
    [(Wanted::Ebpf.name(), Wanted::Ebpf), (Wanted::Netlink.name(), Wanted::Netlink)];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Scope {
    /// Of a virus scanner that reads the same file: not the sensor's.
    Epp,
    Global,
}

const SCOPES: [(&str, Scope); 2] = [("epp", Scope::Epp), ("global", Scope::Global)];

#[derive(Clone, Copy)]
enum Type {
    Path,
    FileName,
    FileExtension,
}

const TYPES: [(&str, Type); 3] = [
    ("excludedPath", Type::Path),
    ("excludedFileName", Type::FileName),
    ("excludedFileExtension", Type::FileExtension),
];

/// A global exclusion as it is written: its path may be of no use.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Exclusion {
    /// Where its path is written.
    pub place: Place,
    pub kind: RuleKind,
    pub path: String,
    pub children: bool,
}

/// All that a file sets.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Settings {
    pub provider: Option<Wanted>,
    pub merge_policy: MergePolicy,
    pub exclusions: Vec<Exclusion>,
    /// Keys that mean nothing to the sensor.
    pub unused: Vec<Place>,
}

/// Reads a file's text.
pub(super) fn parse(json: &str) -> Result<Settings, ConfigError> {
    let tree: Json = serde_json::from_str(json).map_err(ConfigError::Json)?;
    settings(&Node::root(&tree)).map_err(|error| error.located_in(json))
}

fn settings(root: &Node<'_>) -> Result<Settings, ConfigError> {
    let mut settings = Settings::default();
    let mut file = root.object(r#"{"exclusionSettings": {...}, "features": {...}}"#)?;
    let exclusions = file.take("exclusionSettings");
    let features = file.take("features");
    settings.unused.extend(file.unused());
    if let Some(node) = exclusions {
        exclusion_settings(&node, &mut settings)?;
    }
    if let Some(node) = features {
        let mut fields = node.object(r#"{"ebpfSupplementaryEventProvider": "enabled"}"#)?;
        if let Some(provider) = fields.take("ebpfSupplementaryEventProvider") {
            settings.provider = Some(provider.word(&PROVIDERS)?);
        }
        settings.unused.extend(fields.unused());
    }
    Ok(settings)
}

fn exclusion_settings(node: &Node<'_>, settings: &mut Settings) -> Result<(), ConfigError> {
    let mut fields = node.object(r#"{"exclusions": [...], "mergePolicy": "merge"}"#)?;
    if let Some(policy) = fields.take("mergePolicy") {
        settings.merge_policy = policy.word(&MERGE_POLICIES)?;
    }
    let exclusions = fields.take("exclusions");
    settings.unused.extend(fields.unused());
    const EXAMPLE: &str = r#"{"$type": "excludedPath", "path": "/srv", "isDirectory": true}"#;
    let list = exclusions.map(|node| node.list(&format!("[{EXAMPLE}]"))).transpose()?;
    for node in list.unwrap_or_default() {
        let mut fields = node.object(EXAMPLE)?;
        settings.exclusions.extend(exclusion(&mut fields)?);
        settings.unused.extend(fields.unused());
    }
    Ok(())
}

/// One exclusion, unless it is another product's.
fn exclusion(fields: &mut Fields<'_>) -> Result<Option<Exclusion>, ConfigError> {
    let type_node = fields.need("$type")?;
    if !is_global(fields)? {
        // Whatever it says: it is that product's matter.
        for key in ["name", "path", "isDirectory", "includeChildren", "extension"] {
            fields.take(key);
        }
        return Ok(None);
    }
    let of_type = type_node.word(&TYPES)?;
    let children = fields.take("includeChildren");
    let wants_children = children.as_ref().map_or(Ok(false), Node::boolean)?;
    let (kind, path) = match of_type {
        Type::FileName => (RuleKind::Process, fields.need("name")?),
        Type::Path => {
            let path = fields.need("path")?;
            let is_folder = fields.take("isDirectory").map_or(Ok(false), |node| node.boolean())?;
            (if is_folder { RuleKind::Folder } else { RuleKind::File }, path)
        }
        Type::FileExtension => {
            return Err(type_node.wrong(
                "is \"excludedFileExtension\", and global exclusions have no file extensions",
                "give it the scope \"epp\" only, or name a folder by excludedPath",
            ));
        }
    };
    // Said as false it changes nothing, but is not understood either.
    if let (Some(node), true) = (children, kind != RuleKind::Process) {
        return Err(node.wrong(
            "is for processes only: a path has no descendants that could be excluded with it",
            "remove it, or exclude the process by excludedFileName",
        ));
    }
    let text = path.string()?.to_owned();
    Ok(Some(Exclusion { place: path.place, kind, path: text, children: wants_children }))
}

/// Without `scopes` an exclusion of the managed file is global.
fn is_global(fields: &mut Fields<'_>) -> Result<bool, ConfigError> {
    const EXAMPLE: &str = r#"["global"]"#;
    let Some(node) = fields.take("scopes") else { return Ok(true) };
    let list = node.list(EXAMPLE)?;
    if list.is_empty() {
        let remedy = format!("write {EXAMPLE}, or remove the exclusion");
        return Err(node.wrong("is empty: the exclusion would be for nobody", remedy));
    }
    let scopes: Vec<Scope> =
        list.iter().map(|node| node.word(&SCOPES)).collect::<Result<_, _>>()?;
    Ok(scopes.contains(&Scope::Global))
}
