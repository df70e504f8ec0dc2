//! What an ACME server reads and says (RFC 8555): signed requests taken apart, answers in their exact words.
//!
//! **Being addressed.** [`Jws::parse`] reads a request and [`Jws::verify`] gives its [`Payload`], which nothing else
//! does: what was not proven cannot be read. The key is a [`Jwk`], new in the request or known by the account's URL
//! ([`Key`]). A [`Binding`] ties a new account to somebody known here, a [`KeyChange`] gives an account another key.
//!
//! **Asking.** [`NewAccount`], [`AccountUpdate`], [`NewOrder`], [`Finalize`] and [`RevokeCert`] are read from a payload
//! and hold parsed values: [`Identifier`]s, a [`Csr`](crate::Csr), a [`Certificate`](crate::Certificate).
//!
//! **Answering.** [`Directory`], [`Account`], [`Order`], [`Authorization`] with its [`Challenge`]s and [`RenewalInfo`]
//! are serialized as they stand; what is refused is a [`Problem`], and nothing here fails in another way but
//! [`token`].
//!
//! Nonces, accounts and orders are kept by the caller, who also says who may have which name. A request passes four
//! gates before its payload counts: its form, its nonce, its URL ([`Jws::check_url`]), its signature.

mod account;
mod algorithm;
mod authorization;
mod base64url;
mod binding;
mod directory;
mod finalize;
mod flattened;
mod identifier;
mod json;
mod jwk;
mod jws;
mod key_change;
mod order;
mod problem;
mod renewal;
mod revoke;

pub use account::{Account, AccountStatus, AccountUpdate, NewAccount};
pub use algorithm::Algorithm;
pub use authorization::{
    Authorization, AuthorizationStatus, Challenge, ChallengeStatus, key_authorization, token,
};
pub use binding::Binding;
pub use directory::{Directory, Meta};
pub use finalize::Finalize;
pub use identifier::Identifier;
pub use jwk::Jwk;
pub use jws::{Jws, Key, Payload};
pub use key_change::KeyChange;
pub use order::{NewOrder, Order, OrderStatus};
pub use problem::{Problem, ProblemType};
pub use renewal::{CertificateId, RenewalInfo, Window};
pub use revoke::RevokeCert;
