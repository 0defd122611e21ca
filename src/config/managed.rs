//! The managed configuration: `mote_managed.json`, in the schema of `mdatp_managed.json`.

use std::path::Path;

use super::schema::{self, MergePolicy, Settings};
use super::{ConfigError, file};
use crate::filter::{Filter, Origin, Rule};
use crate::host::provider::Wanted;

/// Of so many keys without a meaning the place is looked up: each look reads the file.
const UNUSED_LOCATED: usize = 64;

/// What the managed file sets. The default is what holds where there is none.
#[derive(Clone, Debug, Default)]
pub struct Managed {
    /// Its exclusions, and those of the sensor itself.
    pub filter: Filter,
    /// The provider, if it sets one.
    pub provider: Option<Wanted>,
    /// What becomes of local exclusions.
    pub merge_policy: MergePolicy,
    /// Keys that mean nothing to the sensor, of other products or not spelled right, by
    /// their places.
    pub unused: Vec<String>,
}

impl Managed {
    /// Reads the file. That there is none is an error here, and for the caller to judge:
    /// [`ConfigError::is_absent`].
    pub fn load(path: &Path) -> Result<Managed, ConfigError> {
        Managed::from_text(&file::read(path)?)
    }

    /// Reads the content of a file.
    pub fn parse(json: &[u8]) -> Result<Managed, ConfigError> {
        Managed::from_text(&file::text(json.to_vec())?)
    }

    fn from_text(json: &str) -> Result<Managed, ConfigError> {
        let Settings { provider, merge_policy, exclusions, unused } = schema::parse(json)?;
        let mut filter = Filter::new();
        for exclusion in exclusions {
            Rule::new(exclusion.kind, &exclusion.path, Origin::Managed, exclusion.children)
                .and_then(|rule| filter.add(rule))
                .map_err(|error| ConfigError::Exclusion { place: exclusion.place, error })
                .map_err(|error| error.located_in(json))?;
        }
        let unused = unused.into_iter().zip(0..).map(|(mut place, number)| {
            if number < UNUSED_LOCATED {
                place.locate(json);
            }
            format!("{place}{}", place.position())
        });
        Ok(Managed { filter, provider, merge_policy, unused: unused.collect() })
    }
}
