//! Peers: other domains, and what DNS says of each.

use axum::Router;
use axum::extract::{Form, Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use chancery_admin_ui::confirm::Confirm;
use chancery_admin_ui::peer::{Check, Peer};
use chancery_admin_ui::peers::{PeerRow, Peers};
use chancery_admin_ui::{Nav, Verdict};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Console;
use super::account::Confirmation;
use super::flash::{Done, done};
use super::guard::Admin;
use super::page::{Answer, Trouble, moment, path, show, show_as};
use crate::api::Refused;
use crate::peer::{Domain, SERVICE, Shown, TRANSPORT};
use crate::time;

pub(super) fn routes() -> Router<Console> {
    Router::new()
        .route("/peers", get(list))
        .route("/peers/add", post(add))
        .route("/peers/{domain}", get(look))
        .route("/peers/{domain}/check", post(check))
        .route("/peers/{domain}/remove", post(remove))
}

#[derive(Deserialize)]
struct New {
    domain: String,
}

async fn list(State(console): State<Console>, admin: Admin) -> Answer {
    all(&console, &admin, String::new(), String::new(), StatusCode::OK).await
}

async fn add(State(console): State<Console>, admin: Admin, Form(new): Form<New>) -> Answer {
    let added = match parse(new.domain.trim()) {
        Ok(domain) => console.house.peers.add(&admin.who, &domain, time::now()).await.map_err(Trouble::from),
        Err(refused) => Err(refused.into()),
    };
    match added {
        Ok(peer) => Ok(done(&path(&["peers", &peer.domain]), Done::PeerAdded, &peer.domain)),
        Err(trouble) => {
            let (status, problem) = trouble.into_sentence()?;
            all(&console, &admin, new.domain, problem, status).await
        }
    }
}

async fn look(State(console): State<Console>, admin: Admin, Path(domain): Path<String>) -> Answer {
    let domain = parse(&domain)?;
    let known = console.house.peers.show(&domain).await?;
    let checked_at = moment(known.as_ref().and_then(|known| known.checked_at));
    let checked = known.as_ref().and_then(|known| known.checked.clone());
    show(&page(&admin, &domain, known.is_some(), checked.as_ref(), checked_at))
}

async fn check(State(console): State<Console>, admin: Admin, Path(domain): Path<String>) -> Answer {
    let (domain, now) = (parse(&domain)?, time::now());
    let checked = json!(console.house.peers.check(&domain, now).await);
    let known = console.house.peers.show(&domain).await?.is_some();
    show(&page(&admin, &domain, known, Some(&checked), now.to_string()))
}

async fn remove(
    State(console): State<Console>,
    admin: Admin,
    Path(domain): Path<String>,
    Form(sent): Form<Confirmation>,
) -> Answer {
    let domain = parse(&domain)?;
    let name = domain.as_str();
    if !sent.is_given() {
        return show(&Confirm {
            chrome: admin.chrome(Nav::Peers, &[&["peer", "remove", name]]),
            question: format!("Remove the peer {name}?"),
            consequences: vec![
                "The domain is allowed no longer; adding it again undoes that.".into(),
                "What was found out about it is forgotten.".into(),
            ],
            action: path(&["peers", name, "remove"]),
            fields: Vec::new(),
            button: format!("Remove {name}"),
            back: path(&["peers", name]),
        });
    }
    console.house.peers.remove(&admin.who, &domain, time::now()).await?;
    Ok(done("/peers", Done::PeerRemoved, name))
}

async fn all(console: &Console, admin: &Admin, draft: String, problem: String, status: StatusCode) -> Answer {
    let row = |peer: Shown| PeerRow {
        verdict: peer.checked.as_ref().map(overall).unwrap_or_default(),
        checked_at: moment(peer.checked_at),
        domain: peer.domain,
    };
    let page = Peers {
        chrome: admin.chrome(Nav::Peers, &[&["peer", "list"], &["peer", "add", "DOMAIN"]]),
        rows: console.house.peers.list().await?.into_iter().map(row).collect(),
        draft,
        problem,
    };
    show_as(status, &page)
}

fn parse(domain: &str) -> Result<Domain, Refused> {
    domain.parse().map_err(|why| Refused::BadRequest(format!("{domain:?} is no domain name: {why}")))
}

fn page(admin: &Admin, domain: &Domain, added: bool, checked: Option<&Value>, checked_at: String) -> Peer {
    Peer {
        chrome: admin.chrome(Nav::Peers, &[&["peer", "check", domain.as_str()]]),
        domain: domain.to_string(),
        added,
        verdict: checked.map(overall).unwrap_or_default(),
        conclusion: checked.map(|checked| text(&checked["explanation"])).unwrap_or_default(),
        checked_at,
        checks: checked.map(|checked| questions(domain, checked)).unwrap_or_default(),
    }
}

/// The verdict on the whole: secure where a way to some server is proven, else the worst of all answers.
fn overall(checked: &Value) -> Verdict {
    if checked["usable"] == true {
        return Verdict::Secure;
    }
    let servers = checked["targets"].as_array().map(Vec::as_slice).unwrap_or_default();
    let answers = servers.iter().flat_map(|server| [&server["tlsa"], &server["address"]]);
    let verdicts = std::iter::once(&checked["srv"]).chain(answers).map(verdict);
    let worst = verdicts.max_by_key(|verdict| match verdict {
        Verdict::Bogus => 4,
        Verdict::Unreachable => 3,
        Verdict::Unsigned => 2,
        Verdict::ProvenAbsent => 1,
        Verdict::Secure | Verdict::Unknown => 0,
    });
    match worst {
        // Proven in every link, and yet of no use: there is nothing that could be used.
        Some(Verdict::Secure) | None => Verdict::ProvenAbsent,
        Some(worst) => worst,
    }
}

/// Each question that was asked, with its answer.
fn questions(domain: &Domain, checked: &Value) -> Vec<Check> {
    let mut questions = vec![question("SRV", domain.service(SERVICE, TRANSPORT), &checked["srv"])];
    for server in checked["targets"].as_array().map(Vec::as_slice).unwrap_or_default() {
        let host = text(&server["target"]);
        questions.push(question("TLSA", format!("_{}.{TRANSPORT}.{host}", server["port"]), &server["tlsa"]));
        questions.push(question("A, AAAA", host, &server["address"]));
    }
    questions
}

fn question(kind: &str, name: String, answer: &Value) -> Check {
    let records = answer["records"].as_array().map(Vec::as_slice).unwrap_or_default();
    Check {
        kind: kind.into(),
        name,
        verdict: verdict(answer),
        records: records.iter().map(record).collect(),
        explanation: meaning(answer),
        deadline: text(&answer["deadline"]),
    }
}

/// A record as zone files write it.
fn record(record: &Value) -> String {
    match record {
        Value::String(address) => address.clone(),
        srv if srv.get("target").is_some() => {
            format!("{} {} {} {}", srv["priority"], srv["weight"], srv["port"], text(&srv["target"]))
        }
        tlsa => {
            format!("{} {} {} {}", tlsa["usage"], tlsa["selector"], tlsa["matching"], text(&tlsa["data"]))
        }
    }
}

fn meaning(answer: &Value) -> String {
    let why = text(&answer["why"]);
    match verdict(answer) {
        Verdict::Secure => "Signed, and the chain holds up to the root: this may be built upon.".into(),
        Verdict::ProvenAbsent => "Signed proof that there is no such record.".into(),
        Verdict::Unsigned => {
            "The zone is not signed: anybody on the way could have answered, so it is not used.".into()
        }
        Verdict::Bogus => format!("The answer fails validation and is not used: {why}."),
        Verdict::Unreachable => format!("No answer that could be judged: {why}."),
        Verdict::Unknown => String::new(),
    }
}

fn verdict(answer: &Value) -> Verdict {
    match answer["verdict"].as_str() {
        Some("secure") => Verdict::Secure,
        Some("proven absent") => Verdict::ProvenAbsent,
        Some("unsigned") => Verdict::Unsigned,
        Some("bogus") => Verdict::Bogus,
        Some("unreachable") => Verdict::Unreachable,
        _ => Verdict::Unknown,
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(usable: bool, srv: &str, tlsa: &str) -> Value {
        json!({
            "srv": { "verdict": srv, "records": [{ "priority": 1, "weight": 2, "port": 8885, "target": "mq.b.example" }],
                     "deadline": "2026-11-21T12:00:00Z" },
            "targets": [{ "target": "mq.b.example", "port": 8885,
                          "tlsa": { "verdict": tlsa, "records": [{ "usage": 3, "selector": 1, "matching": 1, "data": "ab01" }] },
                          "address": { "verdict": "secure", "records": ["192.0.2.1"] } }],
            "usable": usable, "explanation": "It is proven.",
        })
    }

    #[test]
    fn a_domain_is_as_good_as_its_worst_answer_unless_a_way_is_proven() {
        assert_eq!(overall(&checked(true, "secure", "secure")), Verdict::Secure);
        assert_eq!(overall(&checked(false, "secure", "bogus")), Verdict::Bogus);
        assert_eq!(overall(&checked(false, "unsigned", "secure")), Verdict::Unsigned);
        assert_eq!(overall(&checked(false, "secure", "secure")), Verdict::ProvenAbsent);
        assert_eq!(overall(&json!(null)), Verdict::Unknown);
    }

    #[test]
    fn each_question_stands_with_its_records_as_zone_files_write_them() {
        let asked = questions(&"b.example".parse().unwrap(), &checked(true, "secure", "secure"));
        let told: Vec<_> =
            asked.iter().map(|one| (one.kind.as_str(), one.name.as_str(), one.records[0].as_str())).collect();
        assert_eq!(
            told,
            [
                ("SRV", "_syn-fed._tcp.b.example", "1 2 8885 mq.b.example"),
                ("TLSA", "_8885._tcp.mq.b.example", "3 1 1 ab01"),
                ("A, AAAA", "mq.b.example", "192.0.2.1"),
            ]
        );
        assert_eq!(asked[0].deadline, "2026-11-21T12:00:00Z");
    }
}
