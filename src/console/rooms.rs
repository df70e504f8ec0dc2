//! Rooms: the list of them, and one with its members.

use axum::Router;
use axum::extract::{Form, Path, Query, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use chancery_admin_ui::Nav;
use chancery_admin_ui::confirm::Confirm;
use chancery_admin_ui::room::{Member, Room as Page};
use chancery_admin_ui::rooms::{RoomRow, Rooms};
use serde::Deserialize;

use super::Console;
use super::account::Confirmation;
use super::flash::{Done, done};
use super::guard::Admin;
use super::page::{Answer, Trouble, path, show, show_as, window};
use crate::store::Room;
use crate::time;

pub(super) fn routes() -> Router<Console> {
    Router::new()
        .route("/rooms", get(list))
        .route("/rooms/new", post(create).get(called_new))
        .route("/rooms/{room}", get(look))
        .route("/rooms/{room}/add", post(add))
        .route("/rooms/{room}/remove", post(remove))
        .route("/rooms/{room}/delete", post(delete))
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Asked {
    page: Option<u32>,
}

#[derive(Default, Deserialize)]
struct New {
    room: String,
    #[serde(default)]
    group: String,
}

#[derive(Deserialize)]
struct Who {
    account: String,
}

async fn list(State(console): State<Console>, admin: Admin, Query(asked): Query<Asked>) -> Answer {
    all(&console, &admin, asked, New::default(), String::new(), StatusCode::OK).await
}

async fn create(State(console): State<Console>, admin: Admin, Form(new): Form<New>) -> Answer {
    match console.house.chat.create_room(&admin.who, &new.room, Some(&new.group), time::now()).await {
        Ok(()) => {
            let room = new.room.trim().to_lowercase();
            Ok(done(&path(&["rooms", &room]), Done::RoomMade, &room))
        }
        Err(refused) => {
            let (status, problem) = Trouble::from(refused).into_sentence()?;
            all(&console, &admin, Asked::default(), new, problem, status).await
        }
    }
}

async fn look(State(console): State<Console>, admin: Admin, Path(room): Path<String>) -> Answer {
    one(&console, &admin, &room, String::new(), String::new(), StatusCode::OK).await
}

/// The room whose name is the word that the form posts to.
async fn called_new(State(console): State<Console>, admin: Admin) -> Answer {
    one(&console, &admin, "new", String::new(), String::new(), StatusCode::OK).await
}

async fn add(
    State(console): State<Console>,
    admin: Admin,
    Path(room): Path<String>,
    Form(who): Form<Who>,
) -> Answer {
    match console.house.chat.add_member(&admin.who, &room, who.account.trim(), time::now()).await {
        Ok(()) => Ok(done(&path(&["rooms", &room]), Done::MemberAdded, who.account.trim())),
        Err(refused) => {
            let (status, problem) = Trouble::from(refused).into_sentence()?;
            one(&console, &admin, &room, who.account, problem, status).await
        }
    }
}

async fn remove(
    State(console): State<Console>,
    admin: Admin,
    Path(room): Path<String>,
    Form(who): Form<Who>,
) -> Answer {
    console.house.chat.remove_member(&admin.who, &room, &who.account, time::now()).await?;
    Ok(done(&path(&["rooms", &room]), Done::MemberRemoved, &who.account))
}

async fn delete(
    State(console): State<Console>,
    admin: Admin,
    Path(room): Path<String>,
    Form(sent): Form<Confirmation>,
) -> Answer {
    let room = console.house.chat.room(&room).await?;
    if !sent.is_given() {
        return show(&Confirm {
            chrome: admin.chrome(Nav::Rooms, &[&["room", "delete", &room.name]]),
            question: format!("Delete the room {}?", room.name),
            consequences: vec![
                format!("Its {} members can no longer write to it.", room.members.len()),
                "What was said stays with those who received it.".into(),
            ],
            action: path(&["rooms", &room.name, "delete"]),
            fields: Vec::new(),
            button: format!("Delete {}", room.name),
            back: path(&["rooms", &room.name]),
        });
    }
    console.house.chat.delete_room(&admin.who, &room.name, time::now()).await?;
    Ok(done("/rooms", Done::RoomDeleted, &room.name))
}

async fn all(
    console: &Console,
    admin: &Admin,
    asked: Asked,
    draft: New,
    problem: String,
    status: StatusCode,
) -> Answer {
    let rooms = console.house.chat.rooms().await?;
    let (range, paging) = window(asked.page, rooms.len());
    let page = Rooms {
        chrome: admin.chrome(Nav::Rooms, &[&["room", "list"], &["room", "create", "ROOM"]]),
        rows: rooms.get(range).unwrap_or_default().iter().map(row).collect(),
        paging,
        draft: draft.room,
        draft_group: draft.group,
        problem,
    };
    show_as(status, &page)
}

async fn one(
    console: &Console,
    admin: &Admin,
    name: &str,
    draft: String,
    problem: String,
    status: StatusCode,
) -> Answer {
    let room = console.house.chat.room(name).await?;
    let member = |id: &_| {
        let account = console.house.directory.by_id(*id)?;
        Some(Member { account: account.name.clone(), name: account.display.clone() })
    };
    let mut members: Vec<_> = room.members.iter().filter_map(member).collect();
    members.sort_by(|a, b| a.account.cmp(&b.account));
    let page = Page {
        chrome: admin
            .chrome(Nav::Rooms, &[&["room", "show", &room.name], &["room", "add", &room.name, "ACCOUNT"]]),
        row: row(&room),
        members,
        draft,
        problem,
    };
    show_as(status, &page)
}

fn row(room: &Room) -> RoomRow {
    RoomRow {
        room: room.name.clone(),
        members: room.members.len() as u64,
        group: room.group.clone().unwrap_or_default(),
        created_at: room.created_at.to_string(),
    }
}
