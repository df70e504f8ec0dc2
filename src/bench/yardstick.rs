//! What the processor can do at all: `openssl speed ecdsap256`, for one certificate is one signature that is made and one
//! that is verified.

use std::process::Command;

use anyhow::{Context, Result, ensure};

/// Operations with P-256 a second, on one core.
#[derive(Clone, Copy, serde::Serialize)]
pub(crate) struct Yardstick {
    pub(crate) signed: f64,
    pub(crate) verified: f64,
}

impl Yardstick {
    pub(crate) fn measure(quick: bool) -> Result<Self> {
        let seconds = if quick { "1" } else { "3" };
        let mut openssl = Command::new("openssl");
        let done =
            openssl.args(["speed", "-seconds", seconds, "ecdsap256"]).output().context("openssl speed")?;
        let said = String::from_utf8_lossy(&done.stdout);
        ensure!(done.status.success(), "openssl speed: {}", String::from_utf8_lossy(&done.stderr));
        // 256 bits ecdsa (nistp256)   0.0000s   0.0001s  41000.1  13000.2
        let line = said.lines().find(|line| line.contains("nistp256")).context("no line about P-256")?;
        let rates = line.split_whitespace().rev().take(2).map(str::parse).collect::<Result<Vec<f64>, _>>()?;
        ensure!(rates.len() == 2, "{line}");
        Ok(Self { signed: rates[1], verified: rates[0] })
    }

    /// Certificates a second that the arithmetic alone would allow one core.
    pub(crate) fn certificates(&self) -> f64 {
        1.0 / (1.0 / self.signed + 1.0 / self.verified)
    }
}
