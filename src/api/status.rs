//! Health of every part: each check with a verdict and the next step.

use axum::extract::State;
use axum::response::Json;
use axum::routing::get;
use serde::Serialize;
use serde_json::{Value, json};

use super::{Answer, House};
use crate::store::StoreError;
use crate::time;

/// How well a part is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Verdict {
    Ok,
    Warn,
    Fail,
}

/// One thing looked at.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Check {
    pub(crate) part: &'static str,
    pub(crate) verdict: Verdict,
    pub(crate) what: String,
    /// What to do; empty when all is well.
    pub(crate) next: String,
}

/// The house at a glance.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Status {
    pub(crate) version: &'static str,
    pub(crate) domain: String,
    pub(crate) uptime_s: u64,
    pub(crate) doors: Value,
    pub(crate) accounts: usize,
    pub(crate) sessions: Sessions,
    /// Messages that no device has acknowledged.
    pub(crate) waiting: i64,
    pub(crate) authority: Value,
    pub(crate) checks: Vec<Check>,
}

#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Sessions {
    pub(crate) live: usize,
    /// Those that outlive their connection, whether live or not.
    pub(crate) durable: usize,
}

pub(super) fn routes() -> axum::Router<House> {
    axum::Router::new().route("/api/v1/status", get(show))
}

async fn show(State(house): State<House>) -> Answer<Status> {
    Ok(Json(status(&house).await?))
}

/// Looks at every part.
pub(crate) async fn status(house: &House) -> Result<Status, StoreError> {
    let now = time::now();
    let sessions = house.broker.all();
    let live = sessions.iter().filter(|session| session.is_live()).count();
    let durable = sessions.iter().filter(|session| session.is_durable()).count();
    let waiting = house.store.read(|view| view.all_waiting()).await?;
    Ok(Status {
        version: env!("CARGO_PKG_VERSION"),
        domain: house.facts.domain.clone(),
        uptime_s: now.since(house.facts.started).as_secs(),
        doors: json!(house.facts.doors),
        accounts: house.directory.count(),
        sessions: Sessions { live, durable },
        waiting,
        authority: json!({
            "issuer": house.enrollment.issuer_name(),
            "not_after": house.enrollment.not_after(),
            "crl": house.enrollment.crl_info(),
        }),
        checks: vec![
            check_store(house).await,
            check_directory(house).await,
            check_outbox(house).await,
            check_authority(house).await,
            check_pending(house).await,
        ],
    })
}

async fn check_store(house: &House) -> Check {
    let now = time::now();
    match house.store.write(move |tx| tx.set_mark("status.checked", now.micros())).await {
        Ok(()) => ok("store", "writes reach the disk"),
        Err(error) => fail("store", error, "free space on the disk under state_dir, or see the journal"),
    }
}

async fn check_directory(house: &House) -> Check {
    let Some(ldap) = house.directory.ldap() else {
        return ok("directory", format!("built in, {} accounts", house.directory.count()));
    };
    if let Some(held) = ldap.held() {
        let (leaving, active) = (held.leaving.len(), held.active);
        return fail(
            "directory",
            format!("a sync that would take away {leaving} of {active} active people is held"),
            "see whom by `chancery directory held`; then correct [directory.ldap], or release the change",
        );
    }
    match ldap.check().await {
        Ok(health) if health.sees_people => {
            let how = ldap
                .followed()
                .map_or_else(|| "not followed at this moment".into(), |line| line.protocol.clone());
            ok("directory", format!("{} over {}, {how}", health.server, health.security))
        }
        Ok(health) => {
            fail("directory", format!("{} shows no people", health.server), "check base and user_filter")
        }
        Err(error) => Check {
            verdict: Verdict::Warn,
            ..fail("directory", error, "people with certificates go on; see `chancery directory test`")
        },
    }
}

async fn check_outbox(house: &House) -> Check {
    if let Some(why) = house.outbox.jammed() {
        return Check {
            verdict: Verdict::Warn,
            ..fail("outbox", format!("no mail leaves: {why}"), "check [mail] and the relay")
        };
    }
    match house.outbox.list(1000).await {
        Ok(envelopes) => {
            let stuck = envelopes.iter().filter(|envelope| envelope.state == "deferred").count();
            match stuck {
                0 => ok("outbox", "nothing is held up"),
                held => Check {
                    verdict: Verdict::Warn,
                    ..fail(
                        "outbox",
                        format!("{held} envelopes are deferred"),
                        "see `chancery outbox list` for why",
                    )
                },
            }
        }
        Err(error) => fail("outbox", error, "see the journal"),
    }
}

async fn check_authority(house: &House) -> Check {
    if let Some(Err(why)) = house.enrollment.signer_answers().await {
        return fail("authority", why, "until it answers no certificate is issued; what was issued goes on");
    }
    let now = time::now();
    let left = house.enrollment.not_after().since(now);
    match left.as_secs() / 86_400 {
        0 => fail(
            "authority",
            "the issuing certificate has expired or does so today",
            "run `chancery ca roll`",
        ),
        days if house.enrollment.is_to_be_rolled(now) => Check {
            verdict: Verdict::Warn,
            ..fail(
                "authority",
                format!("the issuing certificate ends in {days} days, and half its life is over"),
                "run `chancery ca roll`, which makes another or says how its request is answered",
            )
        },
        days => ok("authority", format!("the issuing certificate lasts another {days} days")),
    }
}

async fn check_pending(house: &House) -> Check {
    match house.enrollment.pending(time::now()).await.map(|all| all.len()) {
        Ok(0) => ok("requests", "none waits for approval"),
        Ok(waiting) => Check {
            verdict: Verdict::Warn,
            ..fail(
                "requests",
                if waiting == 1 { "1 request waits".into() } else { format!("{waiting} requests wait") },
                "decide on them: `chancery cert pending`, then approve or deny",
            )
        },
        Err(error) => fail("requests", error, "see the journal"),
    }
}

fn ok(part: &'static str, what: impl ToString) -> Check {
    Check { part, verdict: Verdict::Ok, what: what.to_string(), next: String::new() }
}

fn fail(part: &'static str, what: impl ToString, next: &str) -> Check {
    Check { part, verdict: Verdict::Fail, what: what.to_string(), next: next.into() }
}
