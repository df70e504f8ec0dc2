//! Rooms: named memberships.

use axum::extract::{Path, State};
use axum::response::Json;
use axum::routing::{get, put};
use serde::{Deserialize, Serialize};

use super::{Answer, House};
use crate::principal::Principal;
use crate::store::Room;
use crate::time::{self, Timestamp};

/// A room as lists show one.
#[derive(Clone, Debug, Serialize)]
struct RoomView {
    room: String,
    members: Vec<String>,
    /// Of the directory, whose people are members.
    group: Option<String>,
    created_at: Timestamp,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Create {
    room: String,
    group: Option<String>,
}

pub(super) fn routes() -> axum::Router<House> {
    axum::Router::new()
        .route("/api/v1/rooms", get(list).post(create))
        .route("/api/v1/rooms/{room}", get(show).delete(delete))
        .route("/api/v1/rooms/{room}/members/{account}", put(add).delete(remove))
}

async fn list(State(house): State<House>) -> Answer<Vec<RoomView>> {
    Ok(Json(house.chat.rooms().await?.iter().map(|room| view(&house, room)).collect()))
}

async fn show(State(house): State<House>, Path(name): Path<String>) -> Answer<RoomView> {
    Ok(Json(view(&house, &house.chat.room(&name).await?)))
}

async fn create(State(house): State<House>, Json(new): Json<Create>) -> Answer<RoomView> {
    house.chat.create_room(&Principal::Host, &new.room, new.group.as_deref(), time::now()).await?;
    show(State(house), Path(new.room.trim().to_owned())).await
}

async fn delete(State(house): State<House>, Path(name): Path<String>) -> Answer<serde_json::Value> {
    house.chat.delete_room(&Principal::Host, &name, time::now()).await?;
    Ok(Json(serde_json::json!({ "room": name, "deleted": true })))
}

async fn add(State(house): State<House>, Path((room, account)): Path<(String, String)>) -> Answer<RoomView> {
    house.chat.add_member(&Principal::Host, &room, &account, time::now()).await?;
    show(State(house), Path(room)).await
}

async fn remove(
    State(house): State<House>,
    Path((room, account)): Path<(String, String)>,
) -> Answer<RoomView> {
    house.chat.remove_member(&Principal::Host, &room, &account, time::now()).await?;
    show(State(house), Path(room)).await
}

fn view(house: &House, room: &Room) -> RoomView {
    let name = |id: &_| house.directory.by_id(*id).map(|account| account.name.clone());
    RoomView {
        room: room.name.clone(),
        members: room.members.iter().filter_map(name).collect(),
        group: room.group.clone(),
        created_at: room.created_at,
    }
}
