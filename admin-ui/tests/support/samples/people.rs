//! Accounts, rooms, and the questions about them.

use chancery_admin_ui::{
    Chrome, Flash, Nav, Paging, Tone,
    account::Account,
    accounts::{Accounts, NewAccount},
    confirm::Confirm,
    message::{Message, Step},
    room::{Member, Room},
    rooms::{RoomRow, Rooms},
};

use super::{NOON, Say, account_rows, certificate_rows, chrome, html, key_rows, pairs, session_rows};

pub(super) fn pages(say: Say<'_>) -> Vec<(&'static str, String)> {
    let list = Accounts {
        chrome: Chrome {
            flash: Some(Flash::done(say("Enabled alice."))),
            ..chrome(say, Nav::Accounts, &["chancery account list", "chancery account add NAME"])
        },
        search: say("a"),
        rows: account_rows(say),
        paging: Paging { page: 2, pages: 9, total: 431 },
        can_add: true,
        draft: NewAccount {
            account: say("alice"),
            name: say("Alice"),
            mail: say("a@b.example"),
            problem: say("alice exists already."),
        },
    };
    let one = |index: usize| Account {
        chrome: chrome(say, Nav::Accounts, &["chancery account show alice"]),
        card: account_rows(say).swap_remove(index),
        photo: false,
        facts: pairs(
            say,
            &[
                ("Directory entry", "uid=alice,ou=people,dc=corp,dc=example"),
                ("Directory id", "0d5c1a6e-3c0f-4e1b-9a55-8f2c7f0a4b11"),
            ],
        ),
        groups: vec![say("ops"), say("everyone")],
        rooms: vec![say("planning"), say("lunch")],
        certificates: certificate_rows(say),
        keys: key_rows(say),
        sessions: session_rows(say),
        problem: String::new(),
    };
    let confirm = Confirm {
        chrome: chrome(say, Nav::Accounts, &["chancery account remove bob"]),
        question: say("Remove the account bob?"),
        consequences: vec![
            say("Two certificates will be revoked."),
            say("One live session will be cut."),
            say("14 waiting messages stay until the retention ends."),
        ],
        action: "/accounts/bob/remove".into(),
        fields: pairs(say, &[("account", "bob")]),
        button: say("Remove bob"),
        back: "/accounts/bob".into(),
    };
    let refusal = Message {
        chrome: chrome(say, Nav::Accounts, &[]),
        tone: Tone::Warn,
        status: 409,
        title: say("dmitri cannot be enabled here"),
        what: say("The directory server has disabled this person: userAccountControl has bit 2 set."),
        place: say("account dmitri, from ldaps://dc1.corp.example"),
        next: vec![
            Step {
                label: say("Enable the person in the directory, then wait for the next sync."),
                href: String::new(),
            },
            Step { label: say("Back to dmitri"), href: "/accounts/dmitri".into() },
        ],
    };
    let room_row = |room: &str, members| {
        let group = if room == "planning" { say("planners") } else { String::new() };
        RoomRow { room: say(room), members, group, created_at: say(NOON) }
    };
    let rooms = Rooms {
        chrome: chrome(say, Nav::Rooms, &["chancery room list"]),
        rows: vec![room_row("planning", 12), room_row("lunch", 3)],
        paging: Paging::whole(2),
        problem: say("lunch exists already."),
        draft: say("lunch"),
        draft_group: say("cooks"),
    };
    let member = |account: &str, name: &str| Member { account: say(account), name: say(name) };
    let room = Room {
        chrome: chrome(
            say,
            Nav::Rooms,
            &["chancery room show planning", "chancery room add planning ACCOUNT"],
        ),
        row: room_row("planning", 2),
        members: vec![member("alice", "Alice Liddell"), member("bob", "Bob Cratchit")],
        draft: say("mallory"),
        problem: say("There is no account mallory."),
    };
    vec![
        ("accounts", html(list)),
        ("account", html(one(0))),
        ("account-ldap", html(one(3))),
        ("account-disabled", html(one(2))),
        ("confirm", html(confirm)),
        ("message", html(refusal)),
        ("rooms", html(rooms)),
        ("room", html(room)),
    ]
}
