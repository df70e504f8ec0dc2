//! Polling: a client whose request waits for an admin asks again in the same transaction (RFC 9810 §5.3.22, RFC 9483
//! §4.4). The transaction is kept with the request, for an admin takes longer than a connection or a restart.

use ca::cmp::{FailureInfo, Objection, Order, Request};
use chancery_ca as ca;

use super::{Decision, Known, objection};
use crate::enrollment::{Enrollment, Refused};
use crate::store::{Poll, StoreError};
use crate::time::Timestamp;

impl Enrollment {
    /// From now on this transaction asks for the request.
    pub(super) async fn await_poll(
        &self,
        id: &str,
        request: &Request,
        order: Order,
    ) -> Result<(), StoreError> {
        let transaction = request.header().transaction.clone();
        let (id, poll) =
            (id.to_owned(), Poll { transaction, kind: order.kind.name().into(), number: order.id });
        self.store.write(move |tx| tx.set_poll(&id, &poll)).await
    }

    /// pollReq: still later, or what the first answer would have been.
    pub(super) async fn polled(
        &self,
        request: &Request,
        known: &Known,
        number: i64,
        nonce: [u8; 16],
        now: Timestamp,
    ) -> Result<Decision, Objection> {
        let transaction = request.header().transaction.clone();
        let found = self.store.read(move |view| view.polled(&transaction, now)).await;
        let found = found.map_err(|error| objection(&error.into()))?;
        let own = found.filter(|(one, poll)| known.account() == Some(one.account) && poll.number == number);
        let Some((pending, poll)) = own else {
            let why = "nothing of this transaction is waited for";
            return Err(Objection::new(FailureInfo::BadRequest, why));
        };
        let order = Order { kind: poll.kind.parse()?, id: number };
        match self.collect(&pending, now).await {
            Err(Refused::Waiting(wait)) => Ok(Decision::Later(order, wait.retry)),
            collected => {
                let collected = collected.map(|issued| (issued.serial.to_string(), issued.der));
                Ok(self.handed_out(request, known, order, collected, nonce, now))
            }
        }
    }
}
