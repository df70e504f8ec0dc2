//! OCSP: the question whether a certificate is still good, and the signed answer (RFC 6960).
//!
//! An [`OcspRequest`] names certificates, each by its [`CertId`]. A [`Responder`] tells which of them its authority
//! may have signed, and signs what the caller found out about each: an [`OcspStatus`]. A request that gets no such
//! answer gets an [`OcspRefusal`].
//!
//! Which certificate is good is for the ledger; how bytes travel and how long an answer is kept, for the caller.

mod cert_id;
mod refusal;
mod request;
mod responder;
mod status;
mod wire;

pub use cert_id::CertId;
pub use refusal::OcspRefusal;
pub use request::OcspRequest;
pub use responder::Responder;
pub use status::OcspStatus;
