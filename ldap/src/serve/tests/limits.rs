use super::*;

#[test]
fn a_client_gets_as_many_as_it_wants() {
    let mut client = Client::alice(many(50));
    let (entries, end) = client.search(&Search { size: 10, ..Search::default() }, &[]);
    assert_eq!((entries.len(), end.code()), (10, 4));
    let (entries, end) =
        client.search(&Search { size: 10, filter: "(cn=person 4*)", ..Search::default() }, &[]);
    assert_eq!((entries.len(), end.code()), (10, 4));
    // Exactly as many as there are.
    let (entries, end) =
        client.search(&Search { size: 11, filter: "(cn=person 4*)", ..Search::default() }, &[]);
    assert_eq!((entries.len(), end.code()), (11, 0));
}

#[test]
fn one_answer_has_a_limit_and_pages_lead_to_everybody() {
    let limits = Limits { entries: 300, ..Limits::default() };
    let mut client = Client::limited(many(3_000), limits);
    client.bind(ALICE, "wonderland");
    let (entries, end) = client.search(&Search::default(), &[]);
    assert_eq!((entries.len(), end.result().0), (300, 4));
    for size in [1_000, 299, 7] {
        let (mut cookie, mut names) = (Vec::new(), Vec::new());
        loop {
            let (entries, end) =
                client.search(&Search { attributes: &["1.1"], ..Search::default() }, &page(size, &cookie));
            assert!(entries.len() <= size.min(300) as usize && end.code() == 0);
            names.extend(entries.iter().map(Heard::dn));
            cookie = end.cookie.unwrap();
            if cookie.is_empty() {
                break;
            }
        }
        assert_eq!((names.len(), names[0].as_str(), names[1].as_str()), (3_002, SUFFIX, PEOPLE));
        names.dedup();
        assert_eq!(names.len(), 3_002);
    }
}

#[test]
fn a_page_goes_on_at_another_connection_while_people_come_and_go() {
    let filter = "(uid=p*)";
    let mut client = Client::alice(many(100));
    let (entries, end) = client.search(&Search { filter, ..Search::default() }, &page(10, b""));
    assert_eq!((entries.len(), entries[9].texts("uid")), (10, vec!["p00009".to_owned()]));
    let cards = (5..100)
        .filter(|number| *number != 9)
        .map(|number| Card { uid: format!("p{number:05}"), ..Card::default() });
    let mut other = Client::alice(Directory::new(&Tree::new(SUFFIX).unwrap(), Allowed::default(), cards));
    let (entries, _) = other.search(&Search { filter, ..Search::default() }, &page(10, &end.cookie.unwrap()));
    assert_eq!(entries[0].texts("uid"), ["p00010"]);
}

#[test]
fn the_last_page_says_that_it_is_the_last() {
    let mut client = Client::alice(many(20));
    let search = Search { filter: "(uid=p*)", ..Search::default() };
    let (entries, end) = client.search(&search, &page(20, b""));
    assert_eq!((entries.len(), end.code(), end.cookie), (20, 0, Some(Vec::new())));
    let (_, end) = client.search(&search, &page(10, b""));
    // A page of none ends it.
    let (entries, end) = client.search(&search, &page(0, &end.cookie.unwrap()));
    assert_eq!((entries.len(), end.code(), end.cookie), (0, 0, Some(Vec::new())));
    // What the client wants in all counts over the pages.
    let limited = Search { size: 12, ..search };
    let (_, end) = client.search(&limited, &page(10, b""));
    let (entries, end) = client.search(&limited, &page(10, &end.cookie.unwrap()));
    assert_eq!((entries.len(), end.code()), (2, 4));
    assert_eq!(client.search(&limited, &page(10, b"\xff")).1.code(), 53);
}

#[test]
fn a_filter_that_asks_for_too_much_is_refused_and_the_connection_stays() {
    let mut client = Client::alice(directory());
    let wide = format!("(|{})", "(cn=x)".repeat(300));
    let deep = format!("{}(cn=x){}", "(&".repeat(40), ")".repeat(40));
    for filter in [&wide, &deep] {
        let (_, end) = client.search(&Search { filter, ..Search::default() }, &[]);
        assert_eq!(end.code(), 11);
    }
    let names = vec!["cn"; 300];
    assert_eq!(client.search(&Search { attributes: &names, ..Search::default() }, &[]).1.code(), 11);
    assert_eq!(client.search(&Search::default(), &[]).1.code(), 0);
    let fits = format!("{}(cn=x){}", "(!".repeat(30), ")".repeat(30));
    assert_eq!(client.search(&Search { filter: &fits, ..Search::default() }, &[]).1.code(), 0);
}

#[test]
fn a_long_answer_comes_in_pieces_and_a_long_search_pauses() {
    let mut client = Client::alice(many(60_000));
    let filter = format!("(|{}(uid=p1999*))", "(cn=*x*)".repeat(50));
    let message = client.message(&Search { filter: &filter, ..Search::default() }.operation(), &[]);
    client.conversation.receive(&message);
    let (mut pauses, mut longest, mut all) = (0, 0, 0);
    loop {
        match client.conversation.next(&client.directory) {
            Next::Write(bytes) => {
                longest = longest.max(bytes.len());
                all += bytes.len();
            }
            Next::Again => pauses += 1,
            _ => break,
        }
    }
    // Ten people are found, and each block costs a step.
    assert!(pauses > 40 && longest < 17_000 && all > 2_000, "{pauses} {longest} {all}");
}

#[test]
fn time_is_kept_by_the_employer() {
    let mut client = Client::alice(many(900));
    let mut operation = Search::default().operation();
    assert_eq!(client.conversation.time_limit(), None);
    // The time limit is the fifth number; it stands in front of typesOnly.
    let at = operation.windows(6).position(|window| window == [2, 1, 0, 1, 1, 0]).unwrap();
    operation[at + 2] = 7;
    let message = client.message(&operation, &[]);
    client.conversation.receive(&message);
    assert!(matches!(client.conversation.next(&client.directory), Next::Write(_)));
    assert_eq!(client.conversation.time_limit(), Some(std::time::Duration::from_secs(7)));
    client.conversation.out_of_time();
    assert_eq!(client.hear().pop().unwrap().code(), 3);
}

#[test]
fn no_more_requests_wait_than_may() {
    let mut client = Client::alice(directory());
    let search = Search { base: ALICE, ..Search::default() }.operation();
    let mut all = Vec::new();
    for _ in 0..100 {
        all.extend(client.message(&search, &[]));
    }
    client.conversation.receive(&all);
    assert!(!client.conversation.wants_bytes());
    assert_eq!(client.hear().len(), 200);
    assert!(client.conversation.wants_bytes());
    // Whoever sends on and on and reads nothing is shown out.
    while client.conversation.wants_bytes() {
        let message = client.message(&search, &[]);
        client.conversation.receive(&message);
    }
    client.conversation.receive(&vec![0x30; 140_000]);
    assert_eq!(client.hear().pop().unwrap().code(), 51);
}
