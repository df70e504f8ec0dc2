//! Every list while there is nothing in it.

use chancery_admin_ui::{
    Nav,
    account::Account,
    accounts::{AccountRow, Accounts},
    audit::Audit,
    certificates::Certificates,
    outbox::Outbox,
    overview::Overview,
    peer::Peer,
    peers::Peers,
    pending::Pending,
    room::Room,
    rooms::{RoomRow, Rooms},
    sessions::Sessions,
};

use super::{Say, chrome, html};

pub(super) fn pages() -> Vec<(&'static str, String)> {
    let say: Say<'_> = &str::to_owned;
    let at = |nav| chrome(say, nav, &[]);
    let lone = AccountRow { account: "dora".into(), name: "Dora".into(), ..AccountRow::default() };
    vec![
        (
            "empty-overview",
            html(Overview {
                chrome: at(Nav::Overview),
                summary: "Just started.".into(),
                ..Overview::default()
            }),
        ),
        (
            "empty-accounts",
            html(Accounts { chrome: at(Nav::Accounts), can_add: true, ..Accounts::default() }),
        ),
        ("empty-accounts-ldap", html(Accounts { chrome: at(Nav::Accounts), ..Accounts::default() })),
        ("empty-account", html(Account { chrome: at(Nav::Accounts), card: lone, ..Account::default() })),
        (
            "empty-certificates",
            html(Certificates { chrome: at(Nav::Certificates), ..Certificates::default() }),
        ),
        ("empty-pending", html(Pending { chrome: at(Nav::Certificates), ..Pending::default() })),
        ("empty-sessions", html(Sessions { chrome: at(Nav::Sessions), ..Sessions::default() })),
        ("empty-outbox", html(Outbox { chrome: at(Nav::Outbox), ..Outbox::default() })),
        ("empty-peers", html(Peers { chrome: at(Nav::Peers), ..Peers::default() })),
        (
            "empty-peer",
            html(Peer { chrome: at(Nav::Peers), domain: "new.example".into(), ..Peer::default() }),
        ),
        ("empty-rooms", html(Rooms { chrome: at(Nav::Rooms), ..Rooms::default() })),
        (
            "empty-room",
            html(Room {
                chrome: at(Nav::Rooms),
                row: RoomRow { room: "planning".into(), ..RoomRow::default() },
                ..Room::default()
            }),
        ),
        ("empty-audit", html(Audit { chrome: at(Nav::Audit), ..Audit::default() })),
    ]
}
