//! Connect: from nothing to a relay that waits for mail.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use lettre::transport::smtp::authentication::{Credentials as SmtpCredentials, Mechanism};
use lettre::transport::smtp::client::AsyncSmtpConnection;
use lettre::transport::smtp::commands::Ehlo;
use lettre::transport::smtp::extension::ClientId;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;

use super::dialogue::{Conversation, Offers};
use super::trouble::{Stage, Trouble};
use super::wire::{Reply, Wire};
use super::{Plan, Security};

/// Connects, protects the connection as planned, greets, and signs in where that is wanted.
pub(super) async fn open(plan: &Plan) -> Result<Conversation, Trouble> {
    let settings = &plan.settings;
    let limit = settings.timeout;
    let (stream, peer) = dial(plan).await?;
    let wire = within(limit, Stage::Tls, protect(plan, stream, peer)).await?;

    let hello = ClientId::Domain(settings.helo_name.clone());
    let greeting = AsyncSmtpConnection::connect_with_transport(Box::new(wire), &hello);
    let mut smtp = patient(limit, Stage::Hello, greeting).await?;
    if let Some(credentials) = &settings.credentials {
        let credentials =
            SmtpCredentials::new(credentials.username.clone(), credentials.password.to_string());
        patient(limit, Stage::SignIn, smtp.auth(&[Mechanism::Plain, Mechanism::Login], &credentials)).await?;
    }
    // lettre keeps of the answer to its own EHLO only what it uses itself, so DSN has to be asked for again; a second
    // EHLO is as good as RSET (RFC 5321 §4.1.4), and after a sign-in the offers may have changed.
    let offers = patient(limit, Stage::Hello, smtp.command(Ehlo::new(hello))).await?;
    tracing::debug!(mail.relay = %settings.relay, mail.security = ?plan.security, "Connected to the mail relay.");
    Ok(Conversation::new(smtp, Offers::read(offers.message())))
}

/// Tries each address of the relay in turn.
async fn dial(plan: &Plan) -> Result<(TcpStream, SocketAddr), Trouble> {
    let relay = &plan.settings.relay;
    let limit = plan.settings.timeout;
    let host = relay.host();
    let found = within(limit, Stage::Connect, lookup_host((host.as_str(), relay.port()))).await?;
    let mut last = Trouble::local(Stage::Connect, "its name has no address");
    for peer in found {
        if plan.security == Security::PlainOnLoopback && !peer.ip().is_loopback() {
            last = Trouble::local(
                Stage::Connect,
                format_args!("{relay} is not on this machine, so it needs TLS"),
            );
            continue;
        }
        match within(limit, Stage::Connect, TcpStream::connect(peer)).await {
            Ok(stream) => {
                // lettre writes the mail and its final dot apart; with Nagle's algorithm each mail costs 40 ms more.
                stream.set_nodelay(true).map_err(|error| Trouble::local(Stage::Connect, error))?;
                return Ok((stream, peer));
            }
            Err(trouble) => last = trouble,
        }
    }
    Err(last)
}

async fn protect(plan: &Plan, stream: TcpStream, peer: SocketAddr) -> io::Result<Wire> {
    match (&plan.tls, plan.security) {
        (Some(tls), Security::Implicit) => Ok(Wire::tls(tls.protect(stream).await?, peer)),
        (Some(tls), _) => {
            let stream = start_tls(Wire::plain(stream, peer), &plan.settings.helo_name).await?;
            Ok(Wire::tls(tls.protect(stream).await?, peer).greeted())
        }
        (None, _) => Ok(Wire::plain(stream, peer)),
    }
}

/// RFC 3207 §4: greet, ask for TLS, and say nothing else before it stands.
async fn start_tls(mut wire: Wire, helo_name: &str) -> io::Result<TcpStream> {
    expect(220, wire.reply().await?)?;
    wire.write_all(format!("EHLO {helo_name}\r\n").as_bytes()).await?;
    let offers = expect(250, wire.reply().await?)?;
    if !Offers::read(offers.lines.iter().map(String::as_str)).start_tls {
        return Err(io::Error::other("the relay does not offer STARTTLS"));
    }
    wire.write_all(b"STARTTLS\r\n").await?;
    expect(220, wire.reply().await?)?;
    wire.into_tcp()
}

fn expect(code: u16, reply: Reply) -> io::Result<Reply> {
    if reply.code == code {
        return Ok(reply);
    }
    Err(io::Error::other(format!("the relay says {} {}", reply.code, reply.lines.join(" "))))
}

async fn within<T>(
    limit: Duration,
    stage: Stage,
    step: impl Future<Output = io::Result<T>>,
) -> Result<T, Trouble> {
    match timeout(limit, step).await {
        Ok(done) => done.map_err(|error| Trouble::local(stage, error)),
        Err(_) => Err(Trouble::local(stage, "no answer in time")),
    }
}

/// Waits for one step of lettre's, but not for ever.
pub(super) async fn patient<T>(
    limit: Duration,
    stage: Stage,
    step: impl Future<Output = Result<T, lettre::transport::smtp::Error>>,
) -> Result<T, Trouble> {
    match timeout(limit, step).await {
        Ok(done) => done.map_err(|error| Trouble::smtp(stage, &error)),
        Err(_) => Err(Trouble::local(stage, "no answer in time")),
    }
}
