//! How a client comes in: CONNECT, the turns of an authentication, welcome or refusal (MQTT 5.0 sections 3.1,
//! 3.2 and 4.12).

use bytes::Bytes;
use rumqttd::protocol::ConnAckProperties;

use super::{Connection, Proof, Stage};
use crate::mqtt::answer::Accept;
use crate::mqtt::auth;
use crate::mqtt::codec;
use crate::mqtt::connect::{self, Level};
use crate::mqtt::event::{Event, Version};
use crate::mqtt::reader::Reader;
use crate::mqtt::reason::{Breach, Reason};
use crate::mqtt::topic::LONGEST_TEXT;

impl Connection {
    pub(super) fn on_connect(&mut self, body: &[u8]) -> Result<Event, Breach> {
        let mut reader = Reader::new(body);
        let level = Level::read(&mut reader)?;
        self.version = Some(level.version);
        if !level.spoken {
            return Err(Breach::new(
                Reason::UnsupportedProtocolVersion,
                "CONNECT with a protocol level that is not spoken here",
            ));
        }
        let (connect, terms) = connect::read(level, reader)?;
        self.terms = terms;
        self.keep_alive = connect.keep_alive;
        self.session_expiry = connect.session_expiry;
        if let Some(authentication) = &connect.authentication {
            self.method = Some(authentication.method.as_str().into());
            self.proof = Proof::Ours;
        }
        self.stage = Stage::Judged;
        Ok(Event::Connect(Box::new(connect)))
    }

    pub(super) fn on_auth(&mut self, body: &[u8]) -> Result<Event, Breach> {
        if self.version() == Version::V3 {
            return Err(Breach::malformed("packet of the reserved type 15"));
        }
        // [MQTT-4.12.0-7]
        let Some(method) = &self.method else {
            return Err(Breach::protocol("AUTH without an authentication method in CONNECT"));
        };
        let auth = auth::read(body)?;
        // [MQTT-4.12.0-5], [MQTT-4.12.1-1]
        if auth.method != &**method {
            return Err(Breach::new(
                Reason::BadAuthenticationMethod,
                "AUTH with another method than CONNECT",
            ));
        }
        match (auth.reason, self.stage, self.proof) {
            (Reason::ReAuthenticate, Stage::Open, Proof::Settled) => {}
            (Reason::ContinueAuthentication, _, Proof::Theirs) => {}
            _ => return Err(Breach::protocol("AUTH out of turn")),
        }
        self.proof = Proof::Ours;
        Ok(Event::Auth { reason: auth.reason, data: auth.data })
    }

    /// Asks the client to prove more: AUTH with 0x18, which only its own first word or AUTH may bring about.
    pub(crate) fn challenge(&mut self, data: Option<&[u8]>) {
        self.go_on(Reason::ContinueAuthentication, data, Proof::Theirs);
    }

    /// Ends a re-authentication well: AUTH with 0x00. The first authentication ends with
    /// [`accept`](Self::accept); one that fails, with [`disconnect`](Self::disconnect).
    pub(crate) fn authenticated(&mut self, data: Option<&[u8]>) {
        if self.stage == Stage::Open {
            self.go_on(Reason::Success, data, Proof::Settled);
        }
    }

    fn go_on(&mut self, reason: Reason, data: Option<&[u8]>, next: Proof) {
        if self.proof != Proof::Ours || !matches!(self.stage, Stage::Judged | Stage::Open) {
            return;
        }
        self.proof = next;
        self.rested |= self.stage == Stage::Judged;
        let most = self.most_bytes();
        let method = self.method.as_deref().unwrap_or_default();
        self.packets.1 += 1;
        if !auth::write(reason, method, data, most, &mut self.output) {
            self.disconnect(Reason::PacketTooLarge, Some("an AUTH exceeds your maximum packet size"));
        }
    }

    /// Welcomes the client, and announces what we serve (section 3.2.2.3): all of it, which needs no words.
    pub(crate) fn accept(&mut self, welcome: Accept) {
        if self.stage != Stage::Judged || self.proof == Proof::Theirs {
            return;
        }
        (self.stage, self.proof, self.rested) = (Stage::Open, Proof::Settled, true);
        let sooner = self.version() == Version::V5 && self.keep_alive > self.limits.keep_alive;
        if sooner {
            self.keep_alive = self.limits.keep_alive;
        }
        self.inbound.resume(welcome.received);
        let method = self.method.as_deref().map(str::to_owned);
        let announced = ConnAckProperties {
            session_expiry_interval: welcome.session_expiry,
            receive_max: Some(self.limits.receive_maximum),
            max_packet_size: Some(u32::try_from(self.limits.max_packet).unwrap_or(u32::MAX).max(1)),
            assigned_client_identifier: welcome.assigned_client_id,
            topic_alias_max: Some(self.limits.topic_aliases),
            wildcard_subscription_available: Some(1),
            subscription_identifiers_available: Some(1),
            server_keep_alive: sooner.then_some(self.keep_alive),
            response_information: welcome
                .response_information
                .filter(|topic| self.terms.wants_response_information && topic.len() <= LONGEST_TEXT),
            authentication_data: welcome.authentication.filter(|data| sayable(method.as_ref(), data)),
            authentication_method: method,
            ..ConnAckProperties::default()
        };
        let mut user_properties = welcome.user_properties;
        user_properties.retain(|(name, value)| name.len().max(value.len()) <= LONGEST_TEXT);
        let reason_string = welcome.reason_string.as_deref().map(codec::short);
        let talkative = ConnAckProperties { reason_string, user_properties, ..announced.clone() };
        // Words are for people and are left out before the client's maximum packet size is exceeded
        // ([MQTT-3.2.2-19], [MQTT-3.2.2-20]).
        if !self.put(codec::welcome(welcome.session_present, talkative))
            && !self.put(codec::welcome(welcome.session_present, announced))
        {
            self.stage = Stage::Over;
        }
    }

    /// Turns the client away: CONNACK with the version's code, and the connection is over.
    pub(crate) fn refuse(&mut self, reason: Reason, why: Option<&str>) {
        if self.stage == Stage::Judged {
            self.turn_away(reason, why);
        }
    }

    pub(super) fn turn_away(&mut self, reason: Reason, why: Option<&str>) {
        self.stage = Stage::Over;
        let Some(version) = self.version else { return };
        for why in [why, None] {
            if codec::refusal(version, reason, why).is_none_or(|packet| self.put(packet)) {
                return;
            }
        }
    }
}

/// Authentication data needs a method beside it, and has a two-byte length.
fn sayable(method: Option<&String>, data: &Bytes) -> bool {
    method.is_some() && data.len() <= LONGEST_TEXT
}
