//! Finalization: the certificate request that an order ends in (RFC 8555 §7.4).

use serde::Deserialize;

use super::{Identifier, Payload, Problem, ProblemType, base64url};
use crate::{Csr, der};

/// A finalize request.
#[derive(Clone, Debug)]
pub struct Finalize {
    /// The certificate request; its key signed it.
    pub csr: Csr,
}

impl Finalize {
    /// Reads the request. The certificate request is DER, unlike elsewhere (RFC 8555 §7.4).
    pub fn read(payload: Payload<'_>) -> Result<Finalize, Problem> {
        let sent: Sent = payload.read()?;
        let bytes = base64url::decode("the certificate request", &sent.csr)?;
        if bytes.first() != Some(&der::SEQUENCE) {
            return Err(Problem::new(ProblemType::BadCsr, "the certificate request is not DER"));
        }
        Ok(Finalize { csr: Csr::parse(&bytes)? })
    }

    /// Demands that the certificate request names exactly what was ordered. A permanent identifier need not stand in
    /// it: the device proves it in another way.
    pub fn check_names(&self, ordered: &[Identifier]) -> Result<(), Problem> {
        let requested = self.csr.requested();
        let foreign = requested.iter().find(|name| !ordered.iter().any(|identifier| identifier.is(name)));
        if let Some(name) = foreign {
            return Err(bad(format!("the certificate request names {name}, which was not ordered")));
        }
        let stands = |identifier: &Identifier| {
            matches!(identifier, Identifier::PermanentIdentifier(_))
                || requested.iter().any(|name| identifier.is(name))
        };
        match ordered.iter().find(|identifier| !stands(identifier)) {
            None => Ok(()),
            Some(missing) => Err(bad(format!(
                "the certificate request does not name {}, which was ordered",
                missing.value()
            ))),
        }
    }
}

#[derive(Deserialize)]
struct Sent {
    csr: String,
}

fn bad(detail: String) -> Problem {
    Problem::new(ProblemType::BadCsr, detail)
}
