//! Small duties, each at its own pace: feed the watchdog, tell the numbers, let what is over expire, renew CRL, server
//! certificate and issuing CA, remind owners of theirs, part with leavers, follow LDAP, develop photos from there and tell
//! it of certificates.

use std::time::Duration;

use anyhow::Result;
use sd_notify::NotifyState;
use tokio::sync::watch;
use tokio::time::{Interval, MissedTickBehavior, interval, interval_at};

use super::doors::TlsDoors;
use crate::api::House;
use crate::directory::{Directory, Following, SyncError, SyncReport};
use crate::enrollment::Enrollment;
use crate::principal::Principal;
use crate::time;

/// Well within the unit's `WatchdogSec`.
const OFTEN: Duration = Duration::from_secs(5);
/// How often `$SYS` is told anew.
const TELL: Duration = Duration::from_secs(10);
/// How often the server certificate is looked at; its OCSP answer is good for an hour.
const RENEW: Duration = Duration::from_secs(20 * 60);
/// How often the directory is compared with what the house has.
const COMPARE: Duration = Duration::from_secs(5 * 60);
/// How soon it is tried again.
const RETRY: Duration = Duration::from_secs(10);
const HOUR: Duration = Duration::from_secs(3600);
/// What ended this long ago is of no more use to anybody.
const FORGET: Duration = Duration::from_secs(30 * 86_400);

/// What the duties are done to.
#[derive(Clone)]
pub(super) struct Duties {
    pub(super) house: House,
    pub(super) tls: TlsDoors,
    /// Names in the server certificate.
    pub(super) names: Vec<String>,
    /// How long messages are kept.
    pub(super) retention: Duration,
}

impl Duties {
    /// Does them until the house stops. What fails is told and tried again at its next turn.
    pub(super) async fn run(self, mut stop: watch::Receiver<bool>) {
        let (mut often, mut tell, mut renew) = (every(OFTEN), every(TELL), every(RENEW));
        // What is thrown away by a clock that is wrong at start would be gone for good, and an issuing CA that it makes
        // would begin in the future: there is an hour to set it.
        let mut later = interval_at((time::monotonic() + HOUR).into(), HOUR);
        loop {
            let done = tokio::select! {
                _ = often.tick() => self.often().await,
                _ = tell.tick() => self.tell(),
                _ = renew.tick() => self.look_after_certificates().await,
                () = self.house.enrollment.rolled() => self.look_after_certificates().await,
                _ = later.tick() => self.by_the_hour().await,
                _ = stop.changed() => return,
            };
            if let Err(error) = done {
                tracing::error!(%error, "a small duty failed; its next turn tries again");
            }
        }
    }

    async fn often(&self) -> Result<()> {
        let now = time::now();
        sd_notify::notify(&[NotifyState::Watchdog])?;
        self.house.broker.expire(now);
        let broker = self.house.broker.clone();
        tokio::task::spawn_blocking(move || -> Result<()> {
            while broker.sweep(now)? {}
            Ok(())
        })
        .await??;
        self.house.enrollment.renew_crl_if_due(now).await;
        Ok(())
    }

    fn tell(&self) -> Result<()> {
        self.house.chat.tell_sys(self.house.facts.started, time::now());
        Ok(())
    }

    /// What fails of it keeps nothing else from being done.
    async fn look_after_certificates(&self) -> Result<()> {
        let (enrollment, now) = (&self.house.enrollment, time::now());
        let renewed = self.renew().await;
        // Leavers' are taken back where they leave; here is found what a crash came in between of.
        let parted = enrollment.part_with_leavers(&Principal::System, now).await;
        let reminded = enrollment.remind(now).await;
        renewed?;
        parted?;
        reminded?;
        Ok(())
    }

    /// The server certificate in use comes back unless another is due, with a fresh OCSP answer.
    pub(super) async fn renew(&self) -> Result<()> {
        let server = self.house.enrollment.server_certificate(&self.names, time::now()).await?;
        self.tls.replace(&server)?;
        tracing::debug!(until = %server.not_after, "the server certificate was looked at");
        Ok(())
    }

    async fn by_the_hour(&self) -> Result<()> {
        self.throw_away().await?;
        Ok(self.house.enrollment.keep_issuers(time::now()).await?)
    }

    async fn throw_away(&self) -> Result<()> {
        let (store, now) = (&self.house.store, time::now());
        let oldest = now.before(self.retention);
        while store.write(move |tx| tx.expire_messages(oldest)).await? {}
        let ended = now.before(FORGET);
        Ok(store.write(move |tx| tx.forget_expired().and_then(|()| tx.forget_ended(ended))).await?)
    }
}

/// Follows the directory: who leaves there loses certificates here. What goes wrong is told once, until it changes.
pub(super) async fn follow(house: House, mut following: Following, mut stop: watch::Receiver<bool>) {
    let mut trouble = None;
    loop {
        let told = tokio::select! {
            followed = following.next() => brought(&house, followed, trouble.is_some()).await,
            _ = stop.changed() => return,
        };
        if let Some(why) = told.as_ref().filter(|_| told != trouble) {
            tracing::error!(why, "the directory could not be followed");
        }
        trouble = told;
    }
}

/// What came of it, or what is wrong.
async fn brought(
    house: &House,
    followed: Result<SyncReport, SyncError>,
    after_trouble: bool,
) -> Option<String> {
    let report = match followed {
        Ok(report) => report,
        Err(error) => return Some(error.to_string()),
    };
    if after_trouble || report.added + report.changed + report.removed > 0 {
        tracing::info!(?report, "the directory was synced");
    }
    if report.cut_off == 0 {
        return None;
    }
    let parted = house.enrollment.part_with_leavers(&Principal::System, time::now()).await;
    parted.err().map(|error| error.to_string())
}

/// Develops the photos of people: when people have changed, and now and then those that could not be had before. What goes
/// wrong is told once, until it changes.
pub(super) async fn develop(directory: Directory, mut stop: watch::Receiver<bool>) {
    let mut trouble = None;
    loop {
        let told = tokio::select! {
            developed = directory.develop() => developed.err().map(|error| error.to_string()),
            _ = stop.changed() => return,
        };
        if let Some(why) = told.as_ref().filter(|_| told != trouble) {
            tracing::error!(why, "photos could not be developed; it is tried again");
        }
        trouble = told;
        let pause = if trouble.is_some() { RETRY } else { COMPARE };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = directory.turned() => {}
            _ = stop.changed() => return,
        }
    }
}

/// Brings the directory to what the ledger says of certificates for mail: when something was issued or revoked, and now
/// and then for what has ended or was changed otherwise. What goes wrong is told once, until it changes.
pub(super) async fn publish(enrollment: Enrollment, mut stop: watch::Receiver<bool>) {
    let mut trouble = None;
    loop {
        let told = enrollment.publish(time::now()).await.err().map(|error| error.to_string());
        if let Some(why) = told.as_ref().filter(|_| told != trouble) {
            tracing::error!(why, "a certificate could not be written into the directory; it is tried again");
        }
        trouble = told;
        let pause = if trouble.is_some() { RETRY } else { COMPARE };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = enrollment.changed() => {}
            _ = stop.changed() => return,
        }
    }
}

fn every(pace: Duration) -> Interval {
    let mut turns = interval(pace);
    turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
    turns
}
