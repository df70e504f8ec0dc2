//! PKCS#11: signing keys that never leave a hardware token, or a program that stands for one.
//!
//! A [`Token`] is opened by the path of its module, its label and its PIN; it makes or finds a [`TokenKey`] by the
//! label of the key. What stands in the way is a [`TokenFailure`].
//!
//! A module is foreign code in this process, so it is loaded only where a token is configured, and stays loaded:
//! C_Finalize would end the sessions of everybody in the process, and unloading would pull the code from under
//! threads that the module may have begun.
//!
//! The interface is spoken by `cryptoki`: it is kept up, has the `unsafe` in one place, and loads the module at run
//! time. The crate `pkcs11` knows only version 2.40 and hands out bare numbers; OpenSSL's engines and providers would
//! be one more piece to install, and to configure apart from us.

mod failure;
mod key;
mod token;
mod wire;

pub use failure::TokenFailure;
pub use key::TokenKey;
pub use token::Token;
