//! Photos: what stands in the entries of people, whether or not it is a picture.

use uuid::Uuid;

use crate::connector::Connector;
use crate::entry::Entry;
use crate::error::Error;
use crate::people::{id_attributes, read_id};
use crate::search::Search;
use crate::settings::AttributeMap;

/// The bytes of a photo, which may be a picture or anything else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Photo {
    /// As they came.
    Bytes(Vec<u8>),
    /// More than [`LONGEST_PHOTO`], which were not taken over: only how many.
    TooLong(usize),
}

/// Longer photos are not taken over, in bytes. Active Directory allows 100 kB.
pub const LONGEST_PHOTO: usize = 512 << 10;

impl Connector {
    /// The photo in the entry of this name, where that is still the one with this id, and has one. Listing and following
    /// tell of photos too; this is for whoever did not keep them.
    pub async fn photo(&self, dn: &str, id: Uuid) -> Result<Option<Photo>, Error> {
        let inner = self.ready().await;
        let map = &inner.settings.attributes;
        let attributes: Vec<&str> = id_attributes(map).chain(map.photo.as_deref()).collect();
        let found = inner.search(&Search::entry("reading a photo", dn, &attributes)).await?;
        // A name may have been given to somebody new.
        let theirs = found.entries.iter().find(|entry| read_id(entry, map) == Ok(Some(id)));
        Ok(theirs.and_then(|entry| Photo::read(entry, map)))
    }
}

impl Photo {
    /// Of several always the same one, in whatever order they come.
    pub(crate) fn read(entry: &Entry, map: &AttributeMap) -> Option<Self> {
        let photos = entry.values(map.photo.as_deref()?);
        let photo = photos.filter(|bytes| !bytes.is_empty()).min()?;
        Some(match photo.len() {
            length if length > LONGEST_PHOTO => Self::TooLong(length),
            _ => Self::Bytes(photo.to_vec()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_photos_one_of_bearable_length_is_read_where_they_are_asked_for() {
        let long = vec![0xff; LONGEST_PHOTO + 1];
        let entry = Entry::of("cn=a", &[("jpegPhoto", b"two"), ("jpegPhoto", b"one"), ("photo", &long)]);
        let read = |attribute: Option<&str>| {
            let photo = attribute.map(str::to_owned);
            Photo::read(&entry, &AttributeMap { photo, ..AttributeMap::default() })
        };
        assert_eq!(read(None), None);
        assert_eq!(read(Some("thumbnailPhoto")), None);
        assert_eq!(read(Some("jpegphoto")), Some(Photo::Bytes(b"one".to_vec())));
        assert_eq!(read(Some("photo")), Some(Photo::TooLong(LONGEST_PHOTO + 1)));
    }
}
