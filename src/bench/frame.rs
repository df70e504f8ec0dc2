//! MQTT 3.1.1 packets, as much as a load generator needs of them.

/// Bytes of one message: what all workloads carry.
const PAYLOAD: usize = 256;

pub(crate) const CONNECTED: [u8; 4] = [0x20, 2, 0, 0];
pub(crate) const SUBSCRIBED: [u8; 4] = [0x90, 3, 0, 1];
pub(crate) const PING: [u8; 2] = [0xC0, 0];
pub(crate) const PONG: [u8; 2] = [0xD0, 0];
pub(crate) const DISCONNECT: [u8; 2] = [0xE0, 0];
const PUBACK: u8 = 0x40;

/// CONNECT of a client without credentials that may be silent for ten minutes.
pub(crate) fn connect(client_id: &str, clean: bool) -> Vec<u8> {
    let mut body = Vec::new();
    text(&mut body, "MQTT");
    body.extend([4, if clean { 2 } else { 0 }]);
    body.extend(600u16.to_be_bytes());
    text(&mut body, client_id);
    let mut out = Vec::new();
    frame(&mut out, 0x10, &[&body]);
    out
}

pub(crate) fn subscribe(filter: &str, qos: u8) -> Vec<u8> {
    let mut body = vec![0, 1];
    text(&mut body, filter);
    body.push(qos);
    let mut out = Vec::new();
    frame(&mut out, 0x82, &[&body]);
    out
}

/// Appends a message whose payload begins with `stamp`: of QoS 1 where it has an identifier, else of QoS 0.
pub(crate) fn publish(out: &mut Vec<u8>, topic: &str, id: Option<u16>, stamp: u64) {
    let mut head = Vec::with_capacity(topic.len() + 12);
    text(&mut head, topic);
    if let Some(id) = id {
        head.extend(id.to_be_bytes());
    }
    head.extend(stamp.to_be_bytes());
    frame(out, if id.is_some() { 0x32 } else { 0x30 }, &[&head, &[b'x'; PAYLOAD - 8]]);
}

/// The identifier of a sender's n-th message; zero is none of them [MQTT-2.3.1-1].
pub(crate) fn identifier(count: u64) -> u16 {
    (count % 65_535) as u16 + 1
}

fn frame(out: &mut Vec<u8>, kind: u8, parts: &[&[u8]]) {
    let mut length: usize = parts.iter().map(|part| part.len()).sum();
    out.push(kind);
    loop {
        let more = length > 127;
        out.push((length % 128) as u8 | if more { 128 } else { 0 });
        length /= 128;
        if !more {
            break;
        }
    }
    for part in parts {
        out.extend_from_slice(part);
    }
}

fn text(out: &mut Vec<u8>, text: &str) {
    out.extend((text.len() as u16).to_be_bytes());
    out.extend(text.as_bytes());
}

/// The whole packets at the beginning of what was read.
pub(crate) struct Frames<'a>(&'a [u8]);

pub(crate) struct Frame<'a> {
    kind: u8,
    body: &'a [u8],
}

/// A message that came.
pub(crate) struct Message {
    pub(crate) id: Option<[u8; 2]>,
    pub(crate) stamp: u64,
}

impl<'a> Frames<'a> {
    pub(crate) fn of(input: &'a [u8]) -> Self {
        Self(input)
    }

    /// How many bytes whole packets take at the beginning of the input.
    pub(crate) fn whole(input: &'a [u8]) -> usize {
        let mut frames = Self(input);
        while frames.next().is_some() {}
        input.len() - frames.0.len()
    }
}

impl<'a> Iterator for Frames<'a> {
    type Item = Frame<'a>;

    fn next(&mut self) -> Option<Frame<'a>> {
        let (&kind, mut rest) = self.0.split_first()?;
        let (mut length, mut shift) = (0, 0);
        loop {
            let (&byte, behind) = rest.split_first()?;
            length |= usize::from(byte & 127) << shift;
            (rest, shift) = (behind, shift + 7);
            if byte < 128 || shift > 21 {
                break;
            }
        }
        let (body, behind) = rest.split_at_checked(length)?;
        self.0 = behind;
        Some(Frame { kind, body })
    }
}

impl Frame<'_> {
    pub(crate) fn is_puback(&self) -> bool {
        self.kind == PUBACK
    }

    pub(crate) fn is_message(&self) -> bool {
        self.kind >> 4 == 3
    }

    pub(crate) fn message(&self) -> Option<Message> {
        if !self.is_message() {
            return None;
        }
        let (length, rest) = self.body.split_first_chunk()?;
        let mut payload = rest.get(usize::from(u16::from_be_bytes(*length))..)?;
        let mut id = None;
        if self.kind & 6 != 0 {
            let (given, behind) = payload.split_first_chunk()?;
            (id, payload) = (Some(*given), behind);
        }
        let (stamp, _) = payload.split_first_chunk()?;
        Some(Message { id, stamp: u64::from_be_bytes(*stamp) })
    }
}

/// Appends the acknowledgement of a message.
pub(crate) fn puback(out: &mut Vec<u8>, id: [u8; 2]) {
    out.extend([PUBACK, 2]);
    out.extend(id);
}
