//! A certification authority for one organisation: it reads requests, signs certificates, takes them back
//! and answers for them.
//!
//! **Founding.** [`Authority::found`] makes a root and an issuing CA from an [`Organization`]; the answer is a
//! [`Founded`]. Keys are [`KeyPair`]s, sealed with a passphrase at rest. An [`AuthorityKey`] may as well be a
//! [`TokenKey`], which lives in a hardware [`Token`]. A [`Root`] certifies issuing CAs, also where their keys are
//! elsewhere and come as a request.
//!
//! **Asking.** A [`Csr`] brings a [`PublicKey`] and the proof that its owner holds the private half. The [`Name`]s
//! that it asks for are a filter only: [`check_request`] refuses foreign ones, and what goes into the certificate
//! is the caller's [`Subject`].
//!
//! **Signing.** [`Authority::issue`] applies a [`Profile`] under a [`Serial`] that the caller drew beforehand, and
//! gives an [`Issued`]; [`Certificate`] is how any certificate is read back, [`pkcs12()`] how one travels with its key,
//! [`certs_only`] how it travels without. Where the key is elsewhere, the authority's [`Chain`] is what remains.
//!
//! **Taking back.** [`Authority::crl`] signs the list of [`Revoked`] serials, each with its [`Reason`], and
//! [`Authority::shard_crl`] the part of it that is a [`Shard`].
//!
//! **Answering.** An [`OcspRequest`] asks about certificates, each named by a [`CertId`]. A [`Responder`] with a key of
//! its own signs the [`OcspStatus`] of each; a request that gets no answer gets an [`OcspRefusal`].
//!
//! **Asking over ACME.** [`acme`] reads what ACME clients sign and says what they expect to hear (RFC 8555, RFC 9773);
//! accounts, orders and nonces are the caller's.
//!
//! **Asking over CMP.** [`cmp`] is how devices ask over the network: it reads their messages into the same [`Csr`], and
//! writes the replies.
//!
//! **Owning up.** [`log`] is an append-only Merkle tree over what was issued (RFC 9162 §2.1): the authority signs how
//! large it is, and proves to anybody that a certificate is in it.
//!
//! What it refuses is a [`Refusal`], what breaks is a [`Failure`]. It keeps no state, reads no clock and opens no
//! socket: the ledger, the time and the publishing are the caller's.

pub mod acme;
mod authority;
mod authority_key;
mod certificate;
mod chain;
pub mod cmp;
mod csr;
mod csr_attributes;
mod der;
mod error;
mod founding;
mod issuing;
mod key;
pub mod log;
mod names;
mod ocsp;
mod pem;
mod pkcs11;
mod pkcs12;
mod pkcs7;
mod profile;
mod proof;
mod public_key;
mod revocation;
mod serial;
mod shard;
mod weak_key;

pub use authority::{Authority, Urls};
pub use authority_key::AuthorityKey;
pub use certificate::Certificate;
pub use chain::Chain;
pub use csr::{Csr, check_request};
pub use csr_attributes::csr_attributes;
pub use error::{Failure, Refusal};
pub use founding::{Founded, Organization, Root};
pub use issuing::Issued;
pub use key::{KeyKind, KeyPair};
pub use names::{Name, Subject};
pub use ocsp::{CertId, OcspRefusal, OcspRequest, OcspStatus, Responder};
pub use pkcs7::certs_only;
pub use pkcs11::{Token, TokenFailure, TokenKey};
pub use pkcs12::{Flavor, pkcs12};
pub use profile::Profile;
pub use public_key::PublicKey;
pub use revocation::{Reason, Revoked, crl_from_pem, crl_to_pem};
pub use serial::Serial;
pub use shard::Shard;

/// The example in the README is compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
