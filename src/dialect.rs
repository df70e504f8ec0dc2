//! How the outside names things: each dialect translates between what clients write and what the house means, and
//! decides nothing. `plain` is for ordinary MQTT clients; the CHAT records and the JSON inbox come beside it.

pub(crate) mod plain;
