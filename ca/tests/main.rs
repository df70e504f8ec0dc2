//! What the authority signs, read and judged by others: the `openssl` command, rustls and mosquitto; what ACME and CMP
//! clients sign, judged by the authority; what its log proves.

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
mod requests;
mod workshop;
