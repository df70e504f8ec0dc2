//! The tables as diesel sees them; `migrations/` is the truth.

use diesel::{allow_tables_to_appear_in_same_query, joinable, table};

table! { account (id) {
    id -> Binary, name -> Text, display -> Text, mail -> Nullable<Text>, source -> Text, password -> Nullable<Text>,
    groups -> Text, admin_disabled -> Bool, directory_disabled -> Nullable<Text>, removed_at -> Nullable<BigInt>,
    created_at -> BigInt, entry -> Nullable<Text>,
} }
table! { photo (account) {
    account -> Binary, digest -> Text, jpeg -> Nullable<Binary>, why -> Nullable<Text>,
} }
table! { verifier (account) { account -> Binary, phc -> Text, at -> BigInt, } }
table! { directory_group (id) { id -> Binary, dn -> Text, name -> Text, members -> Text, logins -> Text, } }
table! { certificate_text (serial) { serial -> Text, names -> Text, } }
table! { message (seq) {
    seq -> BigInt, id -> Binary, kind -> Integer, author -> Binary, sender -> Text, address -> Text,
    payload -> Binary, properties -> Nullable<Text>, at -> BigInt,
} }
table! { inbox (message, account) { message -> BigInt, account -> Binary, fate -> Integer, } }
table! { queue (session, message) { session -> Binary, message -> BigInt, qos -> Integer, } }
table! { origin (account, client_id, packet) {
    account -> Binary, client_id -> Text, packet -> Integer, digest -> Binary, message -> Binary, at -> BigInt,
} }
table! { room (name) { name -> Text, created_at -> BigInt, directory_group -> Nullable<Text>, } }
table! { room_member (room, account) { room -> Text, account -> Binary, } }
table! { certificate (serial) {
    serial -> Text, account -> Nullable<Binary>, name -> Text, profile -> Text, state -> Text, spki -> Binary,
    not_before -> BigInt, not_after -> BigInt, der -> Nullable<Binary>, reason -> Nullable<Text>,
    revoked_at -> Nullable<BigInt>, created_at -> BigInt, log_place -> Nullable<BigInt>,
    issuer -> Integer, names -> Nullable<Text>, reminded -> Nullable<BigInt>,
} }
table! { log_row (level, place) { level -> BigInt, place -> BigInt, hash -> Binary, } }
table! { log_edge (id) { id -> BigInt, edge -> Binary, published -> BigInt, } }
table! { key (id) {
    id -> Binary, account -> Binary, name -> Text, spki -> Binary, created_at -> BigInt,
} }
table! { token (hash) {
    hash -> Binary, account -> Binary, profile -> Text, expires_at -> BigInt, used_at -> Nullable<BigInt>,
    id -> Nullable<Text>, names -> Text, misses -> Integer,
} }
table! { pending (id) {
    id -> Text, account -> Binary, name -> Text, profile -> Text, names -> Text, spki -> Binary, front -> Text,
    token -> Nullable<Binary>, certificate -> Nullable<Text>, client -> Nullable<Text>, poll -> Nullable<Binary>,
    poll_kind -> Nullable<Text>, poll_number -> Nullable<BigInt>, state -> Text, serial -> Nullable<Text>,
    created_at -> BigInt, expires_at -> BigInt,
} }
table! { acme_account (id) {
    id -> Text, thumbprint -> Text, key -> Text, account -> Binary, profile -> Text, names -> Text, contact -> Text,
    deactivated -> Bool, created_at -> BigInt,
} }
table! { acme_order (id) {
    id -> Text, acme_account -> Text, identifiers -> Text, state -> Text, replaces -> Nullable<Text>,
    serial -> Nullable<Text>, expires_at -> BigInt, pending -> Nullable<Text>,
} }
table! { envelope (id) {
    id -> Binary, account -> Binary, recipient -> Text, route -> Text, state -> Text, waiting -> BigInt, attempts -> Integer, next_at -> BigInt,
    lease_until -> Nullable<BigInt>, detail -> Nullable<Text>, created_at -> BigInt,
} }
table! { peer (domain) {
    domain -> Text, checked_at -> Nullable<BigInt>, verdict -> Nullable<Text>, created_at -> BigInt,
} }
table! { audit (seq) {
    seq -> BigInt, at -> BigInt, actor -> Text, deed -> Text, subject -> Text, details -> Text, hash -> Binary,
} }
table! { admin (name) { name -> Text, password -> Text, created_at -> BigInt, } }
table! { console_link (hash) { hash -> Binary, expires_at -> BigInt, used_at -> Nullable<BigInt>, } }
table! { console_session (hash) {
    hash -> Binary, admin -> Text, account -> Nullable<Binary>, csrf -> Text, created_at -> BigInt, seen_at -> BigInt,
} }
table! { self_service_session (hash) { hash -> Binary, account -> Binary, csrf -> Text, proved_at -> BigInt, } }
table! { published (account, serial) { account -> Binary, serial -> Text, written -> Integer, } }
table! { mark (name) { name -> Text, value -> BigInt, data -> Nullable<Binary>, } }

joinable!(inbox -> message (message));
joinable!(queue -> message (message));
allow_tables_to_appear_in_same_query!(pending, token, certificate);
allow_tables_to_appear_in_same_query!(message, inbox, queue, account, room, room_member);
