//! CMP: certificates by message (RFC 9810), in the lightweight profile (RFC 9483) that devices and `openssl cmp` speak.
//!
//! **Reading.** [`Request::parse`] reads the envelope: its [`Header`] and its [`Protection`]. The caller finds the
//! secret or judges the [`signer`](Request::signer), and lets [`Request::verify_mac`] or
//! [`Request::verify_signature`] tell whether the message is authentic. Then [`Request::body`] tells what is asked:
//! an [`Enrolment`] with the same [`Csr`](crate::Csr) as PKCS#10 brings, a [`Withdrawal`], a [`Confirmation`], a
//! [`Question`].
//!
//! **Answering.** A [`Responder`] puts an [`Answer`] into a message, protected as the request was: under the same
//! secret, by a [`Signer`], or not at all. What is refused is an [`Objection`], which is an answer too.
//!
//! One request, one reply, and no memory between them. Who may have what, which secret belongs to whom, which
//! transactions are open and which nonces were seen is for the caller, and so is the way messages travel (RFC 9811).

mod answer;
mod body;
mod cert_id;
mod confirmation;
mod digest;
mod enrolment;
mod header;
mod information;
mod mac;
mod message;
mod objection;
mod oid;
mod order;
mod protection;
mod reply;
mod request;
mod signature;
mod template;
mod withdrawal;

pub use answer::{Answer, Grant};
pub use body::Body;
pub use cert_id::CertId;
pub use confirmation::Confirmation;
pub use enrolment::Enrolment;
pub use header::Header;
pub use information::{Information, Question};
pub use mac::Mac;
pub use objection::{FailureInfo, Objection};
pub use order::{Order, OrderKind};
pub use protection::Protection;
pub use reply::{Responder, Signer};
pub use request::{Rejected, Request};
pub use signature::SignatureAlgorithm;
pub use withdrawal::Withdrawal;
