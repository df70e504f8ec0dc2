//! rustls accepts the authority's clients and servers, and refuses the revoked, the strangers and the misused.

use std::{sync::Arc, time::Duration};

use chancery_ca::{Issued, KeyPair, Profile, Reason, Revoked, Shard};
use rustls::{
    CertificateError, ClientConfig, ClientConnection, Error, RootCertStore, ServerConfig, ServerConnection,
    SupportedProtocolVersion,
    crypto::{CryptoProvider, aws_lc_rs},
    pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer, PrivatePkcs8KeyDer, UnixTime},
    server::WebPkiClientVerifier,
    time_provider::TimeProvider,
    version::{TLS12, TLS13},
};

use crate::workshop::{NOW, Workshop, alice, key, public, server};

#[test]
fn clients_and_servers_of_one_authority_meet() {
    let workshop = Workshop::open();
    for version in [&TLS12, &TLS13] {
        let town = Town::new(&workshop, version);
        let client = Holder::new(&workshop, Profile::Client);
        assert_eq!(town.handshake(&client, &[]), Ok(client.issued.der.clone()));
        assert_eq!(town.handshake(&Holder::new(&workshop, Profile::Session), &[]).map(|_| ()), Ok(()));
        assert_eq!(town.handshake(&Holder::new(&workshop, Profile::Peer), &[]).map(|_| ()), Ok(()));
    }
}

#[test]
fn a_revoked_client_is_stopped_at_the_handshake() {
    let workshop = Workshop::open();
    let town = Town::new(&workshop, &TLS13);
    let (good, bad) = (Holder::new(&workshop, Profile::Client), Holder::new(&workshop, Profile::Client));
    let revoked = [Revoked { serial: bad.issued.serial, at: NOW, reason: Reason::CessationOfOperation }];
    let crl = workshop.authority.crl(&revoked, 1, NOW, NOW + Duration::from_secs(60)).expect("a CRL");
    assert_eq!(town.handshake(&good, &crl), Ok(good.issued.der.clone()));
    assert_eq!(town.handshake(&bad, &crl), Err(Error::InvalidCertificate(CertificateError::Revoked)));
}

#[test]
fn the_list_of_its_shard_is_enough_for_a_client_and_another_shards_says_nothing() {
    let workshop = Workshop::open();
    let town = Town::new(&workshop, &TLS13);
    let (good, bad) = (Holder::new(&workshop, Profile::Client), Holder::new(&workshop, Profile::Client));
    let revoked = [Revoked { serial: bad.issued.serial, at: NOW, reason: Reason::CessationOfOperation }];
    let shard = Shard::of(bad.issued.serial);
    assert_eq!(
        town.handshake(&bad, &workshop.shard(shard, &revoked)),
        Err(Error::InvalidCertificate(CertificateError::Revoked))
    );
    let shard = Shard::of(good.issued.serial);
    assert_eq!(town.handshake(&good, &workshop.shard(shard, &[])), Ok(good.issued.der.clone()));
    let other = Shard::all().find(|other| *other != shard).expect("one of 63");
    assert_eq!(
        town.handshake(&good, &workshop.shard(other, &[])),
        Err(Error::InvalidCertificate(CertificateError::UnknownRevocationStatus))
    );
}

#[test]
fn a_server_certificate_is_no_client_certificate() {
    let workshop = Workshop::open();
    let town = Town::new(&workshop, &TLS13);
    let refused = town.handshake(&Holder::new(&workshop, Profile::Server), &[]);
    assert!(matches!(refused, Err(Error::InvalidCertificate(_))), "{refused:?}");
}

#[test]
fn a_client_of_another_authority_is_a_stranger() {
    let (workshop, elsewhere) = (Workshop::open(), Workshop::open());
    let town = Town::new(&workshop, &TLS13);
    let refused = town.handshake(&Holder::new(&elsewhere, Profile::Client), &[]);
    assert!(matches!(refused, Err(Error::InvalidCertificate(_))), "{refused:?}");
}

/// A certificate with its key and chain.
struct Holder {
    issued: Issued,
    key: KeyPair,
    issuing: Vec<u8>,
}

impl Holder {
    fn new(workshop: &Workshop, profile: Profile) -> Holder {
        let key = key();
        let subject = if matches!(profile, Profile::Server | Profile::Peer) { server() } else { alice() };
        let issued = workshop.issue("leaf", &public(&key), &subject, profile);
        Holder { issued, key, issuing: workshop.authority.issuing().der().to_vec() }
    }

    fn chain(&self) -> Vec<CertificateDer<'static>> {
        vec![self.issued.der.clone().into(), self.issuing.clone().into()]
    }

    fn private(&self) -> PrivateKeyDer<'static> {
        PrivatePkcs8KeyDer::from(self.key.to_pkcs8_der().to_vec()).into()
    }
}

/// A TLS server and the trust that both sides share.
struct Town {
    server: Holder,
    roots: Arc<RootCertStore>,
    version: &'static SupportedProtocolVersion,
}

impl Town {
    fn new(workshop: &Workshop, version: &'static SupportedProtocolVersion) -> Town {
        let mut roots = RootCertStore::empty();
        roots.add(workshop.authority.root().der().to_vec().into()).expect("a trust anchor");
        Town { server: Holder::new(workshop, Profile::Server), roots: Arc::new(roots), version }
    }

    /// One mutual handshake; the certificate that the server saw.
    fn handshake(&self, client: &Holder, crl: &[u8]) -> Result<Vec<u8>, Error> {
        let mut server = ServerConnection::new(self.server_config(crl))?;
        let mut client =
            ClientConnection::new(self.client_config(client), "localhost".try_into().expect("a name"))?;
        while client.is_handshaking() || server.is_handshaking() {
            let mut wire = Vec::new();
            while client.wants_write() {
                client.write_tls(&mut wire).expect("memory");
            }
            let mut rest = wire.as_slice();
            while !rest.is_empty() {
                server.read_tls(&mut rest).expect("memory");
                server.process_new_packets()?;
            }
            let mut wire = Vec::new();
            while server.wants_write() {
                server.write_tls(&mut wire).expect("memory");
            }
            let mut rest = wire.as_slice();
            while !rest.is_empty() {
                client.read_tls(&mut rest).expect("memory");
                client.process_new_packets()?;
            }
        }
        let seen = server.peer_certificates().and_then(|chain| chain.first()).expect("a client certificate");
        Ok(seen.to_vec())
    }

    fn server_config(&self, crl: &[u8]) -> Arc<ServerConfig> {
        let mut verifier = WebPkiClientVerifier::builder_with_provider(self.roots.clone(), provider());
        if !crl.is_empty() {
            let crl = CertificateRevocationListDer::from(crl.to_vec());
            verifier =
                verifier.with_crls([crl]).only_check_end_entity_revocation().enforce_revocation_expiration();
        }
        let config = ServerConfig::builder_with_details(provider(), Arc::new(Fixed))
            .with_protocol_versions(&[self.version])
            .expect("a version")
            .with_client_cert_verifier(verifier.build().expect("a verifier"))
            .with_single_cert(self.server.chain(), self.server.private());
        Arc::new(config.expect("key and certificate fit"))
    }

    fn client_config(&self, client: &Holder) -> Arc<ClientConfig> {
        let config = ClientConfig::builder_with_details(provider(), Arc::new(Fixed))
            .with_protocol_versions(&[self.version])
            .expect("a version")
            .with_root_certificates(self.roots.clone())
            .with_client_auth_cert(client.chain(), client.private());
        Arc::new(config.expect("key and certificate fit"))
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

/// The clock stands at `NOW`.
#[derive(Debug)]
struct Fixed;

impl TimeProvider for Fixed {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(Duration::from_secs(NOW.unix_timestamp().unsigned_abs())))
    }
}
