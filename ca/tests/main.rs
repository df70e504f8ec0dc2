//! What the authority signs, read and judged by others: the `openssl` command, rustls and mosquitto.

mod handshake;
mod hostile;
mod mosquitto;
mod ocsp;
mod openssl;
mod requests;
mod workshop;
