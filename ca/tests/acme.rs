//! ACME from a client's side: what a sound client signs is understood, what others send is not.

mod client;
mod hostile;
mod messages;
mod requests;
