//! What stands between us and a key in a token, told so that an operator knows what to put right.

use std::path::PathBuf;

use cryptoki::error::Error;

/// Why a token, or a key in it, cannot be used. No text holds a PIN.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenFailure {
    /// The module is not there, or is no PKCS#11 module, or does not start.
    #[error("the PKCS#11 module {} cannot be used: {why}", path.display())]
    Module {
        /// Where it was looked for.
        path: PathBuf,
        /// What the loader or the module said.
        why: String,
    },
    /// The module shows no token of this label.
    #[error("there is no token labelled `{token}`; the module shows {shown:?}")]
    NoToken {
        /// The label that was looked for.
        token: String,
        /// The labels that are there.
        shown: Vec<String>,
    },
    /// More than one token has this label, so it is unclear which is meant.
    #[error("more than one token is labelled `{0}`")]
    TwoTokens(String),
    /// The token refused the PIN.
    #[error(
        "the token `{0}` refused the PIN; it is not tried again, because tokens lock after a few attempts"
    )]
    WrongPin(String),
    /// The token accepts no PIN any more, after too many wrong ones.
    #[error("the PIN of the token `{0}` is locked; its security officer can set a new one")]
    LockedPin(String),
    /// No PIN was ever set for the token's user.
    #[error("the token `{0}` has no PIN yet; its security officer sets the first one")]
    NoPin(String),
    /// The token does not hold this half of the key pair.
    #[error("the token `{token}` holds no {half} key labelled `{key}`")]
    NoKey {
        /// The token's label.
        token: String,
        /// The key's label.
        key: String,
        /// `private` or `public`.
        half: &'static str,
    },
    /// More than one key has this label, so it is unclear which is meant.
    #[error("the token `{token}` holds more than one {half} key labelled `{key}`")]
    TwoKeys {
        /// The token's label.
        token: String,
        /// The key's label.
        key: String,
        /// `private` or `public`.
        half: &'static str,
    },
    /// A key that was to be made has the label of one that is there.
    #[error("the token `{token}` holds a key labelled `{key}` already")]
    Taken {
        /// The token's label.
        token: String,
        /// The key's label.
        key: String,
    },
    /// The key is there, but nothing for an authority.
    #[error("the key `{key}` in the token `{token}` cannot be used: {why}")]
    Unusable {
        /// The token's label.
        token: String,
        /// The key's label.
        key: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The token failed at something that should have worked.
    #[error("the token `{token}` failed: {why}")]
    Broken {
        /// The token's label.
        token: String,
        /// The function that failed, and the module's answer.
        why: String,
    },
}

/// The function and its return code, without the paragraph that the library below adds to it.
pub(super) fn words(why: &Error) -> String {
    match why {
        Error::Pkcs11(code, function) => format!("C_{function:?} answered {code:?}"),
        Error::LibraryLoading(why) => why.to_string(),
        why => why.to_string(),
    }
}
