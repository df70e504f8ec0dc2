//! MQTT 5 properties as rows keep them: one JSON object, absent when a message carries none.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::mqtt::{PayloadFormat, Properties, TopicName};

#[derive(Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Row {
    #[serde(skip_serializing_if = "Option::is_none")]
    content_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_topic: Option<String>,
    /// Base 64.
    #[serde(skip_serializing_if = "Option::is_none")]
    correlation: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<u8>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    user: Vec<(String, String)>,
}

/// For a row; `None` when there is nothing to keep.
pub(crate) fn to_row(properties: &Properties) -> Option<String> {
    if *properties == Properties::default() {
        return None;
    }
    let row = Row {
        content_type: properties.content_type.clone(),
        response_topic: properties.response_topic.as_ref().map(ToString::to_string),
        correlation: properties.correlation_data.as_ref().map(|data| STANDARD.encode(data)),
        format: properties.payload_format.map(|format| format as u8),
        user: properties.user_properties.clone(),
    };
    serde_json::to_string(&row).ok()
}

/// From a row. What cannot be read is left out: the message matters more than what it carries.
pub(crate) fn from_row(row: Option<&str>) -> Properties {
    let Some(row) = row.and_then(|text| serde_json::from_str::<Row>(text).ok()) else {
        return Properties::default();
    };
    Properties {
        content_type: row.content_type,
        response_topic: row.response_topic.and_then(|topic| TopicName::parse(&topic).ok()),
        correlation_data: row.correlation.and_then(|data| STANDARD.decode(data).ok()).map(Into::into),
        payload_format: row.format.and_then(PayloadFormat::from_byte),
        message_expiry: None,
        user_properties: row.user,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn properties_come_back_from_their_row() {
        let properties = Properties {
            content_type: Some("text/plain".into()),
            correlation_data: Some(vec![0, 255].into()),
            payload_format: Some(PayloadFormat::Text),
            user_properties: vec![("k".into(), "v".into())],
            ..Properties::default()
        };
        assert_eq!(from_row(to_row(&properties).as_deref()), properties);
        assert_eq!(to_row(&Properties::default()), None);
    }
}
