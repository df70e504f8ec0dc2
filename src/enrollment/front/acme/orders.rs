//! Orders of ACME: of what was granted, with every authorization valid from the beginning (RFC 8555 §7.4, §7.5).

use std::time::Duration;

use axum::http::StatusCode;
use ca::acme::{
    Authorization, AuthorizationStatus, CertificateId, Challenge, ChallengeStatus, Finalize, Identifier,
    NewOrder, Order, OrderStatus, Problem, ProblemType,
};
use chancery_ca as ca;
use serde_json::json;

use super::{Asked, FRONT, No, Reply, Said};
use crate::directory::Directory;
use crate::enrollment::material::Material;
use crate::enrollment::{Asked as Wanted, Enrollment, Grant, Ground, Refused};
use crate::store::{AcmeAccount, AcmeOrder, AcmeOrderState};
use crate::time::Timestamp;

impl Enrollment {
    /// newOrder: for names that the client was granted, and no others.
    pub(super) async fn acme_new_order(&self, asked: &Asked, client: &AcmeAccount) -> Result<Reply, No> {
        let wanted = NewOrder::read(asked.payload(client)?)?;
        let account = self.directory.by_id(client.account).ok_or(Refused::Gone)?;
        let subject = Grant::of(Some(&client.profile), client.names.clone())?.subject(&account);
        if let Some(foreign) = wanted.identifiers.iter().find(|one| !one.is_of(&subject)) {
            let why = format!("{} was not granted to this account: it needs another token", foreign.value());
            return Err(Problem::new(ProblemType::RejectedIdentifier, why).into());
        }
        let replaces = match &wanted.replaces {
            Some(old) => Some(self.to_be_replaced(client, old).await?),
            None => None,
        };
        let order = AcmeOrder {
            id: ca::acme::token().map_err(Refused::from)?,
            client: client.id.clone(),
            identifiers: wanted.identifiers.iter().map(|one| (one.kind().to_owned(), one.value())).collect(),
            state: AcmeOrderState::Ready,
            replaces,
            serial: None,
            pending: None,
            expires_at: asked.now.after(LIFE),
        };
        let new = order.clone();
        self.store.write(move |tx| tx.put_acme_order(&new)).await?;
        asked.order(StatusCode::CREATED, &order)
    }

    /// A certificate of the same owner that has no successor yet (RFC 9773 §5).
    async fn to_be_replaced(&self, client: &AcmeAccount, old: &CertificateId) -> Result<String, No> {
        let serial = old.serial().to_string();
        let line = self.show(&serial).await?.filter(|line| line.account == Some(client.account));
        let ours = self.authority.issuers().by_key_id(&old.issuer_key_id()).is_some();
        if line.is_none() || !ours {
            return Err(No::missing("certificate to be replaced"));
        }
        let of = serial.clone();
        if self.store.read(move |view| view.acme_replaced(&of)).await? {
            let why = "the certificate has a successor already";
            return Err(Problem::new(ProblemType::AlreadyReplaced, why).into());
        }
        Ok(serial)
    }

    pub(super) async fn acme_order(
        &self,
        asked: &Asked,
        client: &AcmeAccount,
        id: &str,
    ) -> Result<Reply, No> {
        asked.payload(client)?.check_empty()?;
        let mut order = self.order(client, id, asked).await?;
        let retry = self.follow(&mut order, asked.now).await?;
        Ok(Reply { retry, ..asked.order(StatusCode::OK, &order)? })
    }

    /// What has become of an order that waits for an admin (§7.1.6), and when to ask again if nothing has.
    async fn follow(&self, order: &mut AcmeOrder, now: Timestamp) -> Result<Option<Duration>, No> {
        let (AcmeOrderState::Processing, Some(pending)) = (order.state, order.pending.clone()) else {
            return Ok(None);
        };
        let collected = match self.store.read(move |view| view.pending(&pending, now)).await? {
            Some(pending) => self.collect(&pending, now).await,
            None => Err(Refused::Denied),
        };
        match collected {
            Ok(issued) => {
                let (id, serial) = (order.id.clone(), issued.serial.to_string());
                (order.state, order.serial) = (AcmeOrderState::Valid, Some(serial.clone()));
                self.store.write(move |tx| tx.end_acme_order(&id, Some(&serial))).await?;
                Ok(None)
            }
            Err(Refused::Waiting(wait)) => Ok(Some(wait.retry)),
            Err(failed @ Refused::Failed(_)) => Err(failed.into()),
            Err(_) => {
                order.state = AcmeOrderState::Invalid;
                Ok(None)
            }
        }
    }

    pub(super) async fn acme_orders(&self, asked: &Asked, client: &AcmeAccount) -> Result<Reply, No> {
        asked.payload(client)?.check_empty()?;
        let (id, now) = (client.id.clone(), asked.now);
        let orders = self.store.read(move |view| view.acme_orders(&id, now, LISTED)).await?;
        let orders: Vec<_> = orders.iter().map(|id| asked.at("order", id)).collect();
        Reply::json(StatusCode::OK, None, &json!({ "orders": orders }))
    }

    /// `ORDER-N`: the N-th identifier's.
    pub(super) async fn acme_authorization(
        &self,
        asked: &Asked,
        client: &AcmeAccount,
        id: &str,
    ) -> Result<Reply, No> {
        asked.payload(client)?;
        let (order, identifier) = self.one_identifier(asked, client, id).await?;
        let authorization = Authorization {
            identifier,
            status: AuthorizationStatus::Valid,
            expires: Some(order.expires_at.to_offset()),
            challenges: vec![asked.challenge(&order, id)],
        };
        Reply::json(StatusCode::OK, None, &authorization)
    }

    /// Met before it was asked; a client that answers it all the same hears so.
    pub(super) async fn acme_challenge(
        &self,
        asked: &Asked,
        client: &AcmeAccount,
        id: &str,
    ) -> Result<Reply, No> {
        asked.payload(client)?;
        let (order, _) = self.one_identifier(asked, client, id).await?;
        Reply::json(StatusCode::OK, None, &asked.challenge(&order, id))
    }

    /// Takes the order in hand, lets the one decision of all fronts decide, and notes what came of it.
    pub(super) async fn acme_finalize(
        &self,
        asked: &Asked,
        client: &AcmeAccount,
        id: &str,
    ) -> Result<Reply, No> {
        let finalize = Finalize::read(asked.payload(client)?)?;
        let mut order = self.order(client, id, asked).await?;
        let ordered = identifiers(&order)?;
        finalize.check_names(&ordered)?;
        let (id, now) = (order.id.clone(), asked.now);
        if !self.store.write(move |tx| tx.begin_acme_order(&id, now)).await? {
            let why = "the order is being fulfilled, is fulfilled or too old";
            return Err(Problem::new(ProblemType::OrderNotReady, why).into());
        }
        let issued = self.fulfil(asked, client, &ordered, finalize.csr).await;
        if let Err(Refused::Waiting(wait)) = issued {
            let (id, pending, until) = (order.id.clone(), wait.id, wait.until);
            order.state = AcmeOrderState::Processing;
            self.store.write(move |tx| tx.suspend_acme_order(&id, &pending, until)).await?;
            return Ok(Reply { retry: Some(wait.retry), ..asked.order(StatusCode::OK, &order)? });
        }
        order.serial = issued.as_ref().ok().cloned();
        let (id, serial) = (order.id.clone(), order.serial.clone());
        self.store.write(move |tx| tx.end_acme_order(&id, serial.as_deref())).await?;
        issued?;
        order.state = AcmeOrderState::Valid;
        asked.order(StatusCode::OK, &order)
    }

    async fn fulfil(
        &self,
        asked: &Asked,
        client: &AcmeAccount,
        ordered: &[Identifier],
        csr: ca::Csr,
    ) -> Result<String, Refused> {
        let account = self.directory.by_id(client.account).ok_or(Refused::Gone)?;
        let hosts = || ordered.iter().map(Identifier::value).collect();
        let granted = Grant::of(Some(&client.profile), client.names.clone())?;
        // Of several hosts the certificate names those that were ordered.
        let grant = match granted.profile() {
            ca::Profile::Server => Grant::of(Some(&client.profile), hosts())?,
            _ => granted,
        };
        let (material, ground) = (Ok(Material::Requested(csr)), Ground::Client(client.id.clone()));
        let wanted = Wanted { deed: "certificate.enroll", front: FRONT, grant, material, ground };
        Ok(self.issue(&Directory::principal(&account), &account, wanted, asked.now).await?.serial)
    }

    /// The chain from the certificate to the issuing CA, which may be a former one.
    pub(super) async fn acme_certificate(
        &self,
        asked: &Asked,
        client: &AcmeAccount,
        serial: &str,
    ) -> Result<Reply, No> {
        asked.payload(client)?.check_empty()?;
        let (id, of) = (client.id.clone(), serial.to_owned());
        let ordered = self.store.read(move |view| view.acme_ordered(&id, &of)).await?;
        let line = if ordered { self.show(serial).await? } else { None };
        let certificate = line.and_then(|line| ca::Certificate::parse(line.der.as_deref()?).ok());
        let issuers = self.authority.issuers();
        let chain = certificate.and_then(|one| Some(one.to_pem() + &issuers.of(&one)?.chain_pem()));
        let chain = chain.ok_or_else(|| No::missing("certificate"))?;
        Ok(Reply { status: StatusCode::OK, location: None, retry: None, body: Said::Pem(chain) })
    }

    async fn order(&self, client: &AcmeAccount, id: &str, asked: &Asked) -> Result<AcmeOrder, No> {
        let of = id.to_owned();
        let order = self.store.read(move |view| view.acme_order(&of)).await?;
        let own = order.filter(|order| order.client == client.id && order.expires_at > asked.now);
        own.ok_or_else(|| No::missing("order"))
    }

    async fn one_identifier(
        &self,
        asked: &Asked,
        client: &AcmeAccount,
        id: &str,
    ) -> Result<(AcmeOrder, Identifier), No> {
        let (order, number) = id.rsplit_once('.').ok_or_else(|| No::missing("authorization"))?;
        let order = self.order(client, order, asked).await?;
        let identifier = number
            .parse()
            .ok()
            .and_then(|number: usize| identifiers(&order).ok().and_then(|all| all.get(number).cloned()));
        Ok((order, identifier.ok_or_else(|| No::missing("authorization"))?))
    }
}

impl Asked {
    fn order(&self, status: StatusCode, order: &AcmeOrder) -> Result<Reply, No> {
        let place = self.at("order", &order.id);
        let authorization = |number| self.at("authorization", &format!("{}.{number}", order.id));
        let told = Order {
            status: match order.state {
                AcmeOrderState::Ready => OrderStatus::Ready,
                AcmeOrderState::Processing => OrderStatus::Processing,
                AcmeOrderState::Valid => OrderStatus::Valid,
                AcmeOrderState::Invalid => OrderStatus::Invalid,
            },
            expires: Some(order.expires_at.to_offset()),
            identifiers: identifiers(order)?,
            error: None,
            authorizations: (0..order.identifiers.len()).map(authorization).collect(),
            finalize: format!("{place}/finalize"),
            certificate: order.serial.as_deref().map(|serial| self.at("certificate", serial)),
            replaces: None,
        };
        Reply::json(status, Some(place), &told)
    }

    /// The token of the order stands for what was never asked.
    fn challenge(&self, order: &AcmeOrder, id: &str) -> Challenge {
        Challenge {
            kind: "http-01".into(),
            url: self.at("challenge", id),
            status: ChallengeStatus::Valid,
            validated: None,
            error: None,
            token: order.id.clone(),
        }
    }
}

fn identifiers(order: &AcmeOrder) -> Result<Vec<Identifier>, No> {
    let read = |(kind, value): &(String, String)| Identifier::parse(kind, value);
    Ok(order.identifiers.iter().map(read).collect::<Result<_, _>>()?)
}

/// How long an order and its authorizations last.
const LIFE: Duration = Duration::from_secs(24 * 60 * 60);
/// How many orders a list shows.
const LISTED: i64 = 100;
