//! What surrounds every page: navigation, who is signed in, the CSRF token, the last deed's result.

use crate::{Secret, Tone};

/// The surroundings of a page. Only an `admin` has navigation; without `person` too the page stands alone.
#[derive(Clone, Debug, Default)]
pub struct Chrome {
    /// The domain that this appliance serves, such as `corp.example`.
    pub domain: String,
    /// Who is signed in; empty before sign-in.
    pub admin: String,
    /// Who is signed in at the self-service page, where nobody is an admin; empty elsewhere.
    pub person: String,
    /// Sent back by every form as `csrf`.
    pub csrf: Secret,
    /// The entry of the navigation that this page belongs to.
    pub here: Option<Nav>,
    /// The version of the appliance.
    pub version: String,
    /// What the last deed did.
    pub flash: Option<Flash>,
    /// The command lines that do what this page does, such as `chancery session list`.
    pub commands: Vec<String>,
}

impl Chrome {
    pub(crate) fn signed_in(&self) -> bool {
        !self.admin.is_empty()
    }

    pub(crate) fn at(&self, nav: Nav) -> bool {
        self.here == Some(nav)
    }

    pub(crate) fn revision(&self) -> String {
        crate::assets::revision()
    }
}

/// One sentence at the top of a page about the deed that led here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flash {
    /// How good the news is.
    pub tone: Tone,
    /// The sentence.
    pub text: String,
}

impl Flash {
    /// A deed that was done.
    pub fn done(text: impl Into<String>) -> Self {
        Self { tone: Tone::Good, text: text.into() }
    }

    /// A deed that was refused or failed.
    pub fn refused(text: impl Into<String>) -> Self {
        Self { tone: Tone::Bad, text: text.into() }
    }
}

/// The entries of the navigation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nav {
    /// `/`
    Overview,
    /// `/accounts`
    Accounts,
    /// `/certificates`
    Certificates,
    /// `/sessions`
    Sessions,
    /// `/rooms`
    Rooms,
    /// `/outbox`
    Outbox,
    /// `/peers`
    Peers,
    /// `/audit`
    Audit,
}

impl Nav {
    /// Every entry, in the order shown.
    pub const ALL: [Self; 8] = [
        Self::Overview,
        Self::Accounts,
        Self::Certificates,
        Self::Sessions,
        Self::Rooms,
        Self::Outbox,
        Self::Peers,
        Self::Audit,
    ];

    /// The page that it leads to.
    pub fn href(self) -> &'static str {
        match self {
            Self::Overview => "/",
            Self::Accounts => "/accounts",
            Self::Certificates => "/certificates",
            Self::Sessions => "/sessions",
            Self::Rooms => "/rooms",
            Self::Outbox => "/outbox",
            Self::Peers => "/peers",
            Self::Audit => "/audit",
        }
    }

    /// The word shown.
    pub fn label(self) -> &'static str {
        match self {
            Self::Overview => "Overview",
            Self::Accounts => "Accounts",
            Self::Certificates => "Certificates",
            Self::Sessions => "Sessions",
            Self::Rooms => "Rooms",
            Self::Outbox => "Outbox",
            Self::Peers => "Peers",
            Self::Audit => "Audit",
        }
    }

    /// The icon's outline, as SVG path data on a grid of 16 by 16.
    pub(crate) fn icon(self) -> &'static str {
        match self {
            Self::Overview => "M2 2h5v5H2zM9 2h5v3H9zM9 7h5v7H9zM2 9h5v5H2z",
            Self::Accounts => "M8 8a3 3 0 1 0 0-6 3 3 0 0 0 0 6zM2 14c.6-2.600 3-4 6-4s5.400 1.400 6 4",
            Self::Certificates => {
                "M8 10a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM5.500 9.500 5 14l3-1.500 3 1.500-.5-4.500"
            }
            Self::Sessions => "M2 3h12v8H2zM6 14h4M8 11v3M5 6l2 1.500-2 1.500",
            Self::Rooms => "M2 2.500h9v6H6L3.500 11V8.500H2zM13 6h1v6h-1.500v2L10 12H7.500",
            Self::Outbox => "M2 4h12v9H2zM2 4.500 8 9l6-4.500",
            Self::Peers => {
                "M5 8a2 2 0 1 0-4 0 2 2 0 0 0 4 0zM15 3a2 2 0 1 0-4 0 2 2 0 0 0 4 0zM15 13a2 2 0 1 0-4 0 2 2 0 0 0 4 0zM5 7l6-3M5 9l6 3"
            }
            Self::Audit => "M3 2h8l2 2v10H3zM5.500 6h5M5.500 8.500h5M5.500 11h3",
        }
    }
}
