//! The variables of the caller's environment that transports go by. They are
//! handed in: libraries read no environment.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

/// The environment of whoever runs jettison.
#[derive(Debug, Clone, Default)]
pub struct Environment {
    variables: Arc<BTreeMap<String, String>>,
}

impl Environment {
    /// Takes variables as `std::env::vars_os` gives them; those that are not
    /// UTF-8 are left out.
    pub fn new<T: Into<std::ffi::OsString>>(variables: impl IntoIterator<Item = (T, T)>) -> Self {
        let text = |value: T| value.into().into_string().ok();
        let variables = variables.into_iter();
        let variables = variables.filter_map(|(name, value)| Some((text(name)?, text(value)?)));
        Self {
            variables: Arc::new(variables.collect()),
        }
    }

    /// One variable.
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str)
    }

    /// The directory of docker's own configuration.
    pub(crate) fn docker_config(&self) -> Option<PathBuf> {
        let set = |name| {
            self.variable(name)
                .filter(|value| !value.is_empty())
                .map(PathBuf::from)
        };
        set("DOCKER_CONFIG").or_else(|| set("HOME").map(|home| home.join(".docker")))
    }
}
