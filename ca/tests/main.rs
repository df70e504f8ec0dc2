//! What the authority signs, read and judged by others: the `openssl` command, rustls and mosquitto; and what ACME
//! clients sign, judged by the authority.

mod acme;
mod handshake;
mod hostile;
mod mosquitto;
mod ocsp;
mod openssl;
mod requests;
mod workshop;
