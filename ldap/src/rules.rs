//! Rules: what an organisation adds to the ways in which directories disable an account.

use crate::assertion::Filter;
use crate::settings::{Problem, SettingsError};

/// What disables an account besides what directories agree on. By default nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// Whoever passes this filter (RFC 4515) is disabled, such as `(employeeType=former)`. It is judged here, whatever
    /// the case of values; of rules with a number only those for bits are known.
    pub filter: Option<String>,
    /// Whether a lock after wrong passwords disables too. It ends by itself, and anybody who knows a login can bring it
    /// about, so by default it does not.
    pub lockout: bool,
}

/// The same, read.
#[derive(Debug, Default)]
pub(crate) struct Judge {
    pub(crate) filter: Option<Filter>,
    pub(crate) lockout: bool,
}

impl Rules {
    pub(crate) fn parse(&self) -> Result<Judge, SettingsError> {
        let filter = self.filter.as_deref().map(Filter::to_be_judged).transpose();
        let filter = filter
            .map_err(|what| SettingsError { problems: vec![Problem { key: "disabled_filter", what }] })?;
        Ok(Judge { filter, lockout: self.lockout })
    }
}
