//! Thumbnails: what is shown of a photo, made anew from its pixels.
//!
//! A photo is bytes of somebody else's choice. What they are is read from themselves, how large the picture will be is
//! asked before there is room for it, and a decoder that panics has only met a photo that cannot be shown. Nothing but
//! pixels is taken over: no place, no camera, no name.

use std::io::Cursor;
use std::panic::catch_unwind;

use chancery_ldap::{LONGEST_PHOTO, Photo};
use image::codecs::jpeg::JpegEncoder;
use image::imageops::overlay;
use image::metadata::Orientation;
use image::{
    DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits, Rgba, RgbaImage, guess_format,
};

/// Wider and higher than this nothing is shown, in pixels.
const EDGE: u32 = 256;
const QUALITY: u8 = 85;
/// Larger pictures are not looked at: so many pixels each way, …
const MOST: u32 = 4096;
/// … and so many bytes of room, which is what they then take at four bytes each.
const ROOM: u64 = 64 << 20;

/// Why a photo cannot be shown.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unfit {
    #[error("the photo has {0} bytes, more than {LONGEST_PHOTO}")]
    TooLong(usize),
    #[error("the photo is neither a JPEG nor a PNG")]
    NoPicture,
    #[error("the photo has {0} × {1} pixels, more than there is room for")]
    TooLarge(u32, u32),
    #[error("the photo cannot be read: {0}")]
    Broken(#[from] ImageError),
    #[error("the photo cannot be read")]
    Panicked,
}

/// The bytes of what looks like a picture that can be shown. Only its beginning is read.
pub(super) fn look(photo: &Photo) -> Result<&[u8], Unfit> {
    match photo {
        Photo::TooLong(length) => Err(Unfit::TooLong(*length)),
        Photo::Bytes(bytes) => careful(|| decoder(bytes).map(|_| &bytes[..])),
    }
}

/// A JPEG of at most 256 × 256 pixels, upright.
pub(super) fn thumbnail(photo: &[u8]) -> Result<Vec<u8>, Unfit> {
    careful(|| {
        let mut decoder = decoder(photo)?;
        let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
        let mut picture = DynamicImage::from_decoder(decoder)?;
        if picture.width().max(picture.height()) > EDGE {
            picture = picture.thumbnail(EDGE, EDGE);
        }
        picture.apply_orientation(orientation);
        // What is seen through is seen on paper.
        let mut paper = RgbaImage::from_pixel(picture.width(), picture.height(), Rgba([u8::MAX; 4]));
        overlay(&mut paper, &picture, 0, 0);
        let mut jpeg = Vec::new();
        let encoder = JpegEncoder::new_with_quality(&mut jpeg, QUALITY);
        DynamicImage::from(paper).into_rgb8().write_with_encoder(encoder)?;
        Ok(jpeg)
    })
}

/// A decoder that has read the head of a picture for which there is room.
fn decoder(photo: &[u8]) -> Result<impl ImageDecoder, Unfit> {
    let format = guess_format(photo).ok();
    let format = format.filter(|format| matches!(format, ImageFormat::Jpeg | ImageFormat::Png));
    let reader = ImageReader::with_format(Cursor::new(photo), format.ok_or(Unfit::NoPicture)?);
    let mut decoder = reader.into_decoder()?;
    let (width, height) = decoder.dimensions();
    if width.max(height) > MOST || decoder.total_bytes() > ROOM {
        return Err(Unfit::TooLarge(width, height));
    }
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(ROOM);
    decoder.set_limits(limits)?;
    Ok(decoder)
}

fn careful<T>(read: impl FnOnce() -> Result<T, Unfit> + std::panic::UnwindSafe) -> Result<T, Unfit> {
    catch_unwind(read).unwrap_or(Err(Unfit::Panicked))
}

#[cfg(test)]
mod tests {
    use image::codecs::png::PngEncoder;
    use image::{GrayImage, ImageEncoder, Rgb, RgbImage, load_from_memory_with_format};
    use proptest::prelude::*;

    use super::*;

    const RED: Rgb<u8> = Rgb([255, 0, 0]);
    const BLUE: Rgb<u8> = Rgb([0, 0, 255]);

    /// Red on the left and blue on the right.
    fn scene(width: u32, height: u32) -> DynamicImage {
        RgbImage::from_fn(width, height, |x, _| if x < width / 2 { RED } else { BLUE }).into()
    }

    fn written(picture: &DynamicImage, encoder: impl FnOnce(&mut Vec<u8>, &DynamicImage)) -> Vec<u8> {
        let mut bytes = Vec::new();
        encoder(&mut bytes, picture);
        bytes
    }

    fn png(picture: &DynamicImage) -> Vec<u8> {
        written(picture, |bytes, picture| picture.write_with_encoder(PngEncoder::new(bytes)).unwrap())
    }

    /// By a camera that lay on its side, and says where.
    fn jpeg(picture: &DynamicImage) -> Vec<u8> {
        let exif = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0at home";
        written(picture, |bytes, picture| {
            let mut encoder = JpegEncoder::new(bytes);
            encoder.set_exif_metadata(exif.to_vec()).unwrap();
            picture.write_with_encoder(encoder).unwrap();
        })
    }

    fn read(jpeg: &[u8]) -> RgbImage {
        load_from_memory_with_format(jpeg, ImageFormat::Jpeg).unwrap().into_rgb8()
    }

    fn is_like(one: Rgb<u8>, other: Rgb<u8>) -> bool {
        one.0.iter().zip(other.0).all(|(one, other)| one.abs_diff(other) < 40)
    }

    #[test]
    fn a_photo_becomes_small_and_upright_and_says_nothing_else() {
        let photo = jpeg(&scene(640, 320));
        assert!(photo.windows(7).any(|bytes| bytes == b"at home"));
        let small = thumbnail(&photo).unwrap();
        assert!(
            !small.windows(4).any(|bytes| bytes == b"Exif")
                && !small.windows(7).any(|bytes| bytes == b"at home")
        );
        let small = read(&small);
        assert_eq!(small.dimensions(), (128, 256));
        assert!(is_like(small[(64, 20)], RED) && is_like(small[(64, 230)], BLUE));
        assert_eq!(
            read(&thumbnail(&png(&scene(40, 30))).unwrap()).dimensions(),
            (40, 30),
            "nothing is blown up"
        );
    }

    #[test]
    fn what_is_seen_through_is_seen_on_paper() {
        let nothing = DynamicImage::from(RgbaImage::new(8, 8));
        assert!(is_like(read(&thumbnail(&png(&nothing)).unwrap())[(4, 4)], Rgb([255; 3])));
    }

    #[test]
    fn a_picture_for_which_there_is_no_room_is_known_by_its_head() {
        let bomb = png(&GrayImage::new(MOST + 1, 64).into());
        assert!(bomb.len() < LONGEST_PHOTO, "{}", bomb.len());
        assert!(matches!(look(&Photo::Bytes(bomb.clone())), Err(Unfit::TooLarge(..))));
        assert!(matches!(thumbnail(&bomb), Err(Unfit::TooLarge(..))));
        assert!(matches!(look(&Photo::Bytes(b"GIF89a".to_vec())), Err(Unfit::NoPicture)));
        assert!(matches!(look(&Photo::TooLong(9)), Err(Unfit::TooLong(9))));
        assert!(look(&Photo::Bytes(b"\xff\xd8\xff and no more".to_vec())).is_err());
    }

    proptest! {
        #[test]
        fn whatever_becomes_of_a_photo_on_its_way_it_is_shown_small_or_not_at_all(
            is_png in any::<bool>(),
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..20),
            end in any::<prop::sample::Index>(),
        ) {
            let mut photo = if is_png { png(&scene(24, 16)) } else { jpeg(&scene(24, 16)) };
            for (at, byte) in changes {
                let at = at.index(photo.len());
                photo[at] = byte;
            }
            photo.truncate(photo.len().min(end.index(photo.len()) * 4));
            match thumbnail(&photo) {
                Ok(jpeg) => prop_assert!(read(&jpeg).width().max(read(&jpeg).height()) <= EDGE),
                Err(why) => prop_assert!(!matches!(why, Unfit::Panicked)),
            }
        }
    }
}
