//! What the authority signs, with keys in memory or in a token, read and judged by others: the `openssl` command,
//! rustls and mosquitto; what ACME and CMP clients sign, judged by the authority; what its log proves.

mod acme;
mod cmp;
mod desk;
mod handshake;
mod hostile;
mod log;
mod messages;
mod mosquitto;
mod ocsp;
mod openssl;
mod pkcs11;
mod pkilint;
mod requests;
mod shards;
mod softhsm;
mod workshop;
