//! An entry, kept as the bytes by which it is sent.

use std::sync::Arc;

use super::schema::Attribute;
use super::selection::Selection;
use crate::ber::{self, OCTETS, SEQUENCE, SET};

/// What an entry is made of, values of one attribute side by side.
#[derive(Clone, Debug, Default)]
pub(super) struct Draft {
    pub(super) dn: String,
    pub(super) texts: Vec<(Attribute, String)>,
    pub(super) binary: Vec<(Attribute, Arc<[u8]>)>,
}

/// The same, ready to be sent. Binary values are shared with whoever gave them.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) dn: Box<str>,
    attributes: Attributes,
    binary: Box<[(Attribute, Arc<[u8]>)]>,
}

/// PartialAttributes one after the other (RFC 4511 §4.1.7), each with the place where it ends.
#[derive(Debug, Default)]
pub(super) struct Attributes {
    bytes: Box<[u8]>,
    ends: Box<[(Attribute, u32)]>,
}

const SEARCH_RESULT_ENTRY: u8 = 0x64;

impl Attributes {
    pub(super) fn new(texts: &[(Attribute, String)]) -> Self {
        let (mut bytes, mut ends) = (Vec::new(), Vec::new());
        for values in texts.chunk_by(|one, other| one.0 == other.0) {
            let attribute = values[0].0;
            put(&mut bytes, attribute, values.iter().map(|(_, value)| value.as_bytes()));
            ends.push((attribute, u32::try_from(bytes.len()).unwrap_or(u32::MAX)));
        }
        Self { bytes: bytes.into(), ends: ends.into() }
    }

    fn write(&self, out: &mut Vec<u8>, selection: &Selection) {
        let mut start = 0;
        for &(attribute, end) in &self.ends {
            let end = end as usize;
            match selection.wants(attribute) {
                true if selection.types_only => put(out, attribute, []),
                true => out.extend_from_slice(&self.bytes[start..end]),
                false => {}
            }
            start = end;
        }
    }
}

impl Entry {
    pub(super) fn new(draft: Draft) -> Self {
        let attributes = Attributes::new(&draft.texts);
        Self { dn: draft.dn.into(), attributes, binary: draft.binary.into() }
    }

    /// Writes a SearchResultEntry (RFC 4511 §4.5.2) of what is selected; `common` is what it shares with others.
    pub(super) fn write(&self, out: &mut Vec<u8>, id: u32, common: &Attributes, selection: &Selection) {
        ber::wrap(out, SEQUENCE, |out| {
            ber::number(out, ber::INTEGER, id);
            ber::wrap(out, SEARCH_RESULT_ENTRY, |out| {
                ber::put(out, OCTETS, self.dn.as_bytes());
                ber::wrap(out, SEQUENCE, |out| {
                    common.write(out, selection);
                    self.attributes.write(out, selection);
                    self.write_binary(out, selection);
                });
            });
        });
    }

    fn write_binary(&self, out: &mut Vec<u8>, selection: &Selection) {
        for values in self.binary.chunk_by(|one, other| one.0 == other.0) {
            let attribute = values[0].0;
            match selection.wants(attribute) {
                true if selection.types_only => put(out, attribute, []),
                true => put(out, attribute, values.iter().map(|(_, value)| &value[..])),
                false => {}
            }
        }
    }
}

fn put<'a>(out: &mut Vec<u8>, attribute: Attribute, values: impl IntoIterator<Item = &'a [u8]>) {
    ber::wrap(out, SEQUENCE, |out| {
        ber::put(out, OCTETS, attribute.spelt().as_bytes());
        ber::wrap(out, SET, |out| values.into_iter().for_each(|value| ber::put(out, OCTETS, value)));
    });
}
