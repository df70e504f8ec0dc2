//! `status`: health of every part, with the next step.

use serde_json::Value;

use super::client::{Client, at};
use super::output::Output;
use super::table::objects;
use super::trouble::Trouble;

/// A failing check is a failure, so that scripts and monitors need not read.
pub(super) fn run(client: &Client, out: &mut Output<'_>) -> Result<(), Trouble> {
    let mut answer = client.get(&at(&["status"]))?;
    let failing = failing(&answer);
    if out.json() {
        out.value(&answer)?;
    } else {
        let checks = answer["checks"].take();
        out.show(&["version", "domain", "uptime_s", "doors"], &without_checks(answer))?;
        let checks = checks.as_array().map(Vec::as_slice).unwrap_or_default();
        out.text(&format!("\n{}", objects(&["part", "verdict", "what", "next"], checks)))?;
    }
    match failing.as_slice() {
        [] => Ok(()),
        parts => Err(Trouble::Failed(format!("not well: {}", parts.join(", ")))),
    }
}

fn failing(answer: &Value) -> Vec<String> {
    let checks = answer["checks"].as_array().into_iter().flatten();
    let failing = checks.filter(|check| check["verdict"] == "fail");
    failing.filter_map(|check| check["part"].as_str().map(str::to_owned)).collect()
}

fn without_checks(mut answer: Value) -> Value {
    if let Some(fields) = answer.as_object_mut() {
        fields.remove("checks");
    }
    answer
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_a_failing_check_fails() {
        let check = |part: &str, verdict: &str| json!({ "part": part, "verdict": verdict });
        let answer =
            json!({ "checks": [check("store", "ok"), check("outbox", "warn"), check("directory", "fail")] });
        assert_eq!(failing(&answer), ["directory"]);
        assert_eq!(failing(&json!({})), Vec::<String>::new());
    }
}
