//! The first screen: is everything well, and if not, what next.

use crate::{Chrome, Health, Page, certificates::CertificateRow};

/// `GET /`.
#[derive(Clone, Debug, Default, Page)]
#[template(path = "overview.html")]
pub struct Overview {
    /// The surroundings.
    pub chrome: Chrome,
    /// The worst health of all parts.
    pub health: Health,
    /// One sentence on the whole, such as "Everything works.".
    pub summary: String,
    /// The counts at the top, in order.
    pub figures: Vec<Figure>,
    /// Store, directory, authority, sessions, outbox, peers, audit; in the order shown.
    pub parts: Vec<Part>,
    /// Every listener.
    pub doors: Vec<Door>,
    /// Certificates that end soon, the nearest first.
    pub expiring: Vec<CertificateRow>,
}

/// A count that leads to its list.
#[derive(Clone, Debug, Default)]
pub struct Figure {
    /// What is counted.
    pub label: String,
    /// The count, ready to print.
    pub value: String,
    /// The list; empty shows no link.
    pub href: String,
}

/// The health of one part of the appliance.
#[derive(Clone, Debug, Default)]
pub struct Part {
    /// Such as "Store" or "Authority".
    pub name: String,
    /// How it is.
    pub health: Health,
    /// One sentence.
    pub summary: String,
    /// Labels and values, such as "CRL next update" and a time.
    pub facts: Vec<(String, String)>,
    /// What to do about it; empty when nothing is.
    pub advice: String,
    /// Where to do it; empty shows no link.
    pub href: String,
}

/// One listener.
#[derive(Clone, Debug, Default)]
pub struct Door {
    /// Such as `mqtts`.
    pub name: String,
    /// The address it listens on, such as `[::]:8883`.
    pub address: String,
    /// How it is.
    pub health: Health,
    /// What it speaks, or why it does not listen.
    pub note: String,
    /// Connections open now, where the door counts them.
    pub connections: Option<u64>,
}
