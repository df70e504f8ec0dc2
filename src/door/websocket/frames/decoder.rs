//! What a client's frames hold, as they come in whatever pieces.

use std::io::Cursor;

use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::{CloseCode, Control, Data, OpCode};

/// Payload of a control frame (RFC 6455 section 5.5).
const CONTROL: u64 = 125;

/// Where a client's frames stand. Holds what came of a header or of a control frame, and no payload of MQTT.
pub(super) struct Decoder {
    /// Bytes of the largest message.
    most: u64,
    place: Place,
    /// Of the header that has begun.
    head: Vec<u8>,
    /// Bytes of the message that has begun; `None` between messages.
    message: Option<u64>,
}

enum Place {
    Head,
    Data {
        left: u64,
        last: bool,
        mask: [u8; 4],
    },
    Control {
        kind: Control,
        left: u64,
        mask: [u8; 4],
        payload: Vec<u8>,
    },
    /// The client has closed.
    End,
}

/// What a client says besides MQTT.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Heard {
    Ping(Vec<u8>),
    /// To be answered with this code.
    Close(CloseCode),
}

/// What a client may not do.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) code: CloseCode,
    pub(super) why: &'static str,
}

impl Decoder {
    pub(super) fn new(most: u64) -> Self {
        Self { most, place: Place::Head, head: Vec::new(), message: None }
    }

    /// Takes what came. The payload of MQTT is left at the front of `came`, unmasked; returns its length.
    pub(super) fn take(&mut self, came: &mut [u8], heard: &mut Vec<Heard>) -> Result<usize, Fault> {
        let (mut at, mut kept) = (0, 0);
        while let Some(rest) = came.get(at..).filter(|rest| !rest.is_empty()) {
            match &mut self.place {
                Place::Head => at += self.take_head(rest)?,
                Place::Data { left, mask, .. } => {
                    let count = usize::try_from(*left).unwrap_or(usize::MAX).min(rest.len());
                    came.copy_within(at..at + count, kept);
                    unmask(came.get_mut(kept..kept + count).unwrap_or_default(), mask);
                    *left -= count as u64;
                    (at, kept) = (at + count, kept + count);
                }
                Place::Control { left, mask, payload, .. } => {
                    let count = usize::try_from(*left).unwrap_or(usize::MAX).min(rest.len());
                    let mut part = rest.get(..count).unwrap_or_default().to_vec();
                    unmask(&mut part, mask);
                    payload.append(&mut part);
                    *left -= count as u64;
                    at += count;
                }
                Place::End => break,
            }
            self.finish(heard)?;
        }
        Ok(kept)
    }

    /// Takes bytes of a header; what it announces is what comes next. Returns how many bytes were the header's.
    fn take_head(&mut self, rest: &[u8]) -> Result<usize, Fault> {
        let known = self.head.len();
        // No header is longer than 14 bytes.
        self.head.extend(rest.iter().take(14 - known.min(14)));
        let mut cursor = Cursor::new(&self.head);
        let parsed = FrameHeader::parse(&mut cursor).map_err(|_| protocol("a frame of an unknown kind"))?;
        let Some((header, length)) = parsed else { return Ok(self.head.len() - known) };
        let used = usize::try_from(cursor.position()).unwrap_or(usize::MAX).saturating_sub(known);
        self.head.clear();
        self.place = self.announced(&header, length)?;
        Ok(used)
    }

    fn announced(&mut self, header: &FrameHeader, length: u64) -> Result<Place, Fault> {
        if header.rsv1 || header.rsv2 || header.rsv3 {
            return Err(protocol("an extension that was not agreed on"));
        }
        let mask = header.mask.ok_or(protocol("a frame without a mask"))?;
        let kind = match header.opcode {
            OpCode::Control(kind) => {
                if !header.is_final || length > CONTROL {
                    return Err(protocol("a control frame too long or in fragments"));
                }
                return Ok(Place::Control { kind, left: length, mask, payload: Vec::new() });
            }
            OpCode::Data(kind) => kind,
        };
        let so_far = match (kind, self.message) {
            (Data::Continue, Some(so_far)) => so_far,
            (Data::Binary, None) => 0,
            // [MQTT-6.0.0-1]
            (Data::Text, _) => return Err(Fault { code: CloseCode::Unsupported, why: "a text frame" }),
            _ => return Err(protocol("fragments out of order")),
        };
        let size = so_far.saturating_add(length);
        if size > self.most {
            return Err(Fault { code: CloseCode::Size, why: "a message too large" });
        }
        self.message = Some(size);
        Ok(Place::Data { left: length, last: header.is_final, mask })
    }

    /// Ends the frame that is complete, if it is.
    fn finish(&mut self, heard: &mut Vec<Heard>) -> Result<(), Fault> {
        match &mut self.place {
            Place::Data { left: 0, last, .. } => {
                if *last {
                    self.message = None;
                }
                self.place = Place::Head;
            }
            Place::Control { left: 0, kind, payload, .. } => {
                let (kind, payload) = (*kind, std::mem::take(payload));
                self.place = Place::Head;
                match kind {
                    Control::Ping => {
                        heard.retain(|heard| !matches!(heard, Heard::Ping(_)));
                        heard.push(Heard::Ping(payload));
                    }
                    Control::Close => {
                        self.place = Place::End;
                        heard.push(Heard::Close(farewell(&payload)?));
                    }
                    _ => {}
                }
            }
            _ => {}
        }
        Ok(())
    }
}

/// The code of a close frame (RFC 6455 section 7.4), which is answered with the same.
fn farewell(payload: &[u8]) -> Result<CloseCode, Fault> {
    let (code, reason) = match payload {
        [] => return Ok(CloseCode::Normal),
        [high, low, reason @ ..] => (CloseCode::from(u16::from_be_bytes([*high, *low])), reason),
        [_] => return Err(protocol("half a close code")),
    };
    if !code.is_allowed() {
        return Err(protocol("a close code that nobody may send"));
    }
    if std::str::from_utf8(reason).is_err() {
        return Err(Fault { code: CloseCode::Invalid, why: "a close reason that is not UTF-8" });
    }
    Ok(code)
}

/// Takes the mask off (RFC 6455 section 5.3), and turns it to where the next byte needs it.
fn unmask(bytes: &mut [u8], mask: &mut [u8; 4]) {
    for four in bytes.chunks_mut(4) {
        four.iter_mut().zip(*mask).for_each(|(byte, mask)| *byte ^= mask);
    }
    mask.rotate_left(bytes.len() % 4);
}

fn protocol(why: &'static str) -> Fault {
    Fault { code: CloseCode::Protocol, why }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MASK: [u8; 4] = [1, 2, 3, 250];

    fn frame(opcode: OpCode, is_final: bool, payload: &[u8]) -> Vec<u8> {
        let header = FrameHeader { opcode, is_final, mask: Some(MASK), ..FrameHeader::default() };
        let mut bytes = Vec::new();
        header.format(payload.len() as u64, &mut bytes).expect("memory");
        let mut masked = payload.to_vec();
        unmask(&mut masked, &mut MASK.clone());
        bytes.extend(masked);
        bytes
    }

    fn binary(payload: &[u8]) -> Vec<u8> {
        frame(OpCode::Data(Data::Binary), true, payload)
    }

    fn control(kind: Control, payload: &[u8]) -> Vec<u8> {
        frame(OpCode::Control(kind), true, payload)
    }

    /// What is understood when the bytes come in pieces of this size.
    fn understood(bytes: &[u8], piece: usize) -> Result<(Vec<u8>, Vec<Heard>), Fault> {
        let mut decoder = Decoder::new(1000);
        let (mut payload, mut heard) = (Vec::new(), Vec::new());
        for piece in bytes.chunks(piece) {
            let mut came = piece.to_vec();
            let kept = decoder.take(&mut came, &mut heard)?;
            payload.extend(&came[..kept]);
        }
        Ok((payload, heard))
    }

    fn fault(bytes: &[u8]) -> u16 {
        understood(bytes, 1).expect_err("a fault").code.into()
    }

    #[test]
    fn fragments_and_pings_between_them_are_one_stream() {
        let bytes = [
            frame(OpCode::Data(Data::Binary), false, b"ab"),
            control(Control::Ping, b"there?"),
            frame(OpCode::Data(Data::Continue), false, b""),
            frame(OpCode::Data(Data::Continue), true, b"cde"),
            binary(b"f"),
            control(Control::Pong, b""),
            control(Control::Close, &[3, 232]),
            binary(b"too late"),
        ]
        .concat();
        for piece in 1..bytes.len() {
            let (payload, heard) = understood(&bytes, piece).expect("sound frames");
            assert_eq!(payload, b"abcdef", "in pieces of {piece}");
            assert_eq!(heard, [Heard::Ping(b"there?".to_vec()), Heard::Close(CloseCode::Normal)]);
        }
    }

    #[test]
    fn only_the_last_of_many_pings_is_answered() {
        let bytes = [control(Control::Ping, b"1"), control(Control::Ping, b"2")].concat();
        assert_eq!(understood(&bytes, bytes.len()).expect("pings").1, [Heard::Ping(b"2".to_vec())]);
    }

    #[test]
    fn each_fault_has_its_code() {
        let text = frame(OpCode::Data(Data::Text), true, b"hello");
        assert_eq!(fault(&text), 1003);
        assert_eq!(fault(&[0x82, 0x01, 0x00]), 1002, "without a mask");
        assert_eq!(fault(&[0xC2, 0x80, 0, 0, 0, 0]), 1002, "with a reserved bit");
        assert_eq!(fault(&[0x83, 0x80, 0, 0, 0, 0]), 1002, "of an unknown kind");
        assert_eq!(
            fault(&frame(OpCode::Data(Data::Continue), true, b"x")),
            1002,
            "a continuation of nothing"
        );
        let twice = frame(OpCode::Data(Data::Binary), false, b"x");
        assert_eq!(fault(&[twice.clone(), twice].concat()), 1002, "a message within a message");
        assert_eq!(fault(&frame(OpCode::Control(Control::Ping), false, b"")), 1002, "a ping in fragments");
        assert_eq!(fault(&control(Control::Ping, &[0; 126])), 1002, "a long ping");
        assert_eq!(fault(&control(Control::Close, &[3])), 1002, "half a code");
        assert_eq!(fault(&control(Control::Close, &[3, 237])), 1002, "the code 1005");
        assert_eq!(fault(&control(Control::Close, &[3, 232, 0xFF])), 1007);
    }

    #[test]
    fn a_message_too_large_is_refused_before_it_comes() {
        let huge = [0x82, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0];
        assert_eq!(fault(&huge), 1009);
        let half = frame(OpCode::Data(Data::Binary), false, &[0; 600]);
        let other = frame(OpCode::Data(Data::Continue), true, &[0; 600]);
        assert_eq!(fault(&[half, other].concat()), 1009, "in fragments");
    }

    proptest! {
        #[test]
        fn any_payload_in_any_pieces_comes_out_as_it_went_in(
            payloads in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..300), 0..6),
            piece in 1usize..400,
        ) {
            let bytes: Vec<u8> = payloads.iter().flat_map(|payload| binary(payload)).collect();
            let understood = understood(&bytes, piece).expect("sound frames").0;
            prop_assert_eq!(understood, payloads.concat());
        }

        #[test]
        fn any_bytes_at_all_are_a_stream_or_a_fault(
            bytes in proptest::collection::vec(any::<u8>(), 0..400), piece in 1usize..400,
        ) {
            let _ = understood(&bytes, piece);
        }
    }
}
