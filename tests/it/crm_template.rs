//! The requests of the CRM template that is shipped (docs/3cx-crm-template.xml), filled in as 3CX fills them, against
//! the service. Template and service cannot drift apart.

use awc::http::Method;
use precall_base::clock;
use roxmltree::{Document, Node};
use serde_json::{Map, Value, json};

use crate::support::log_lines::LogLines;
use crate::support::{KEY, Plan, World};

const TEMPLATE: &str = include_str!("../../docs/3cx-crm-template.xml");
const TOKEN: &str = "token-of-the-crm-template-0123456789";

/// The variables of 3CX, and what it puts in their place.
struct Variables(Vec<(&'static str, String)>);

impl Variables {
    fn of(world: &World, number: &str, direction: &str) -> Self {
        Self(vec![
            ("[BaseUrl]", world.app.url()),
            ("[Token]", TOKEN.to_owned()),
            ("[ReportCallEnabled]", "True".to_owned()),
            ("[Number]", number.to_owned()),
            ("[CallDirection]", direction.to_owned()),
        ])
    }

    /// With what is known of a call that is over. Its times are written as the template orders it.
    fn over(mut self, call_type: &str, duration: &str, (began, ended): (i64, i64)) -> Self {
        let utc = |seconds: i64| {
            let text = jiff::Timestamp::from_second(seconds).unwrap().strftime("%Y-%m-%dT%H:%M:%SZ");
            text.to_string()
        };
        let form = r#".ToString("yyyy-MM-ddTHH:mm:ssZ")]"#;
        self.0.extend([
            ("[CallType]", call_type.to_owned()),
            ("[Duration]", duration.to_owned()),
            ("[[CallStartTimeUTC]", utc(began)),
            ("[[CallEndTimeUTC]", utc(ended)),
            (form, String::new()),
        ]);
        self
    }

    fn fill(&self, text: &str) -> String {
        let filled = self.0.iter().fold(text.to_owned(), |text, (name, value)| text.replace(name, value));
        assert!(
            !filled.contains(['[', ']']),
            "3CX is asked for a variable that the test does not know: {filled}"
        );
        filled
    }
}

fn scenario<'a>(template: &'a Document<'_>, id: &str) -> Node<'a, 'a> {
    let found =
        template.descendants().find(|it| it.has_tag_name("Scenario") && it.attribute("Id") == Some(id));
    found.unwrap_or_else(|| panic!("no scenario {id:?}"))
}

fn child<'a>(of: Node<'a, 'a>, name: &str) -> Option<Node<'a, 'a>> {
    of.children().find(|it| it.has_tag_name(name))
}

/// The values of an element, by their keys.
fn values(of: Option<Node<'_, '_>>, variables: &Variables) -> Vec<(String, String)> {
    let elements = of.into_iter().flat_map(|of| of.children()).filter(|it| it.has_tag_name("Value"));
    elements.map(|it| (it.attribute("Key").unwrap().to_owned(), variables.fill(it.text().unwrap()))).collect()
}

/// Sends the request of a scenario as 3CX does, and checks the answer against the API document.
async fn play(world: &World, id: &str, variables: &Variables) -> (u16, Value) {
    let template = Document::parse(TEMPLATE).unwrap();
    let request = child(scenario(&template, id), "Request").unwrap();
    if let Some(skip) = request.attribute("SkipIf") {
        assert_eq!(variables.fill(skip), "True!=True", "the request is not skipped");
    }
    let url = variables.fill(request.attribute("Url").unwrap());
    let method = request.attribute("RequestType").unwrap().to_ascii_uppercase();
    let posted = values(child(request, "PostValues"), variables);
    let mut sent = world.http.request(Method::from_bytes(method.as_bytes()).unwrap(), &url);
    for (name, value) in values(child(request, "Headers"), variables) {
        sent = sent.insert_header((name, value));
    }
    assert_eq!(request.attribute("ResponseType"), Some("Json"));
    let mut answer = match (method.as_str(), request.attribute("RequestEncoding").unwrap()) {
        ("GET", "UrlEncoded") if posted.is_empty() => sent.send().await.unwrap(),
        ("POST", "Json") => {
            let body: Map<_, _> = posted.into_iter().map(|(key, value)| (key, json!(value))).collect();
            sent.send_json(&body).await.unwrap()
        }
        other => panic!("3CX has no such request: {other:?}"),
    };
    let bytes = answer.body().await.unwrap();
    let path = url.strip_prefix(&world.app.url()).unwrap();
    world.documented((&method, path), answer.status().as_u16(), answer.headers(), &bytes)
}

fn plan() -> Plan {
    Plan::default().env("THREECX_WEBHOOK_TOKEN", TOKEN)
}

fn now() -> i64 {
    clock::now().0 / 1_000_000
}

/// Asserts that 3CX finds no contact in the answer, by the rule of the template.
fn shows_no_contact(answer: &Value) {
    let template = Document::parse(TEMPLATE).unwrap();
    let rule = scenario(&template, "").descendants().find(|it| it.has_tag_name("Rule")).unwrap();
    assert_eq!(rule.text(), Some("contacts.id"), "the path of the rule begins with the list of the answer");
    assert_eq!(*answer, json!({ "contacts": [] }));
}

#[actix::test]
async fn a_look_up_begins_nothing_and_tells_nothing() {
    let lines = LogLines::default();
    let world = World::with(Plan { log: lines.logger(), ..plan() }).await;
    let known = world.known_caller(1).await;
    for number in [known.as_str(), "+12025550190", "100", "anonymous"] {
        for direction in ["Inbound", "Outbound"] {
            let (status, answer) = play(&world, "", &Variables::of(&world, number, direction)).await;
            assert_eq!(status, 200, "{answer}");
            shows_no_contact(&answer);
        }
    }
    assert_eq!(world.count("select count(*) from call_log", &[]).await, 0);
    assert_eq!(world.count("select count(*) from webhooks", &[]).await, 0);
    assert_eq!((world.asked(), world.uploads()), (Vec::new(), 0), "no dial, no clone");
    world.stop().await;
    let log = lines.all().concat();
    assert!(log.contains("webhook accepted"), "{log}");
    let digits = known.trim_start_matches('+');
    assert!(!log.contains(digits) && !log.contains("12025550190") && !log.contains(TOKEN), "{log}");
}

#[actix::test]
async fn a_look_up_is_noted_by_the_call_that_it_fits() {
    let world = World::with(plan().conversation_ms(700)).await;
    let caller = world.known_caller(1).await;
    let call = world.ring("pbx-1", &caller).await;
    let (status, answer) = play(&world, "", &Variables::of(&world, &caller, "Inbound")).await;
    assert_eq!(status, 200);
    shows_no_contact(&answer);
    let row = world.completed(call).await;
    assert_eq!(row.get::<_, Value>("metadata")["pbx_state"], "crm_lookup");
    assert_eq!(world.dials("greeting").len(), 1);
    world.stop().await;
}

async fn report(world: &World, variables: Variables) -> Value {
    let (status, answer) = play(world, "ReportCall", &variables).await;
    assert_eq!(status, 200, "{answer}");
    answer
}

#[actix::test]
async fn a_report_adds_to_the_call_that_is_over_and_never_ends_a_live_one() {
    let world = World::with(plan().env("AUTO_TRANSITION_ENABLED", "false")).await;
    let caller = world.known_caller(1).await;
    let began = now();
    let call = world.ring("pbx-1", &caller).await;
    world.in_state(call, "holding").await;
    let over = |ended| Variables::of(&world, &caller, "Inbound").over("Missed", "00:01:07", (began, ended));
    let answer = report(&world, over(now() + 1)).await;
    assert_eq!(
        (answer["status"].as_str(), answer["call_id"].as_str()),
        (Some("accepted"), Some(&*call.to_string()))
    );
    world.in_state(call, "holding").await;
    world.operate(&format!("/api/v1/calls/{call}/hangup")).await;
    let row = world.released(call).await;
    assert_eq!(row.get::<_, Value>("metadata")["pbx_state"], "reported");
    assert_eq!(row.get::<_, Option<i32>>("duration_seconds"), None);
    let dials = world.asked().len();
    for _ in 0..2 {
        let answer = report(&world, over(now() + 1)).await;
        assert_eq!(
            (answer["status"].as_str(), answer["call_id"].as_str()),
            (Some("ended"), Some(&*call.to_string()))
        );
    }
    let lasted = "select 1 from call_log where id = $1 and duration_seconds = 67";
    world.until_row("the duration of the PBX's call", lasted, &[&call]).await;
    let ends = world.events(call).await.into_iter().filter(|kind| kind == "pbx_call_ended").count();
    assert_eq!(ends, 1, "a repeated report is recorded once");
    assert_eq!(world.asked().len(), dials);
    world.stop().await;
}

#[actix::test]
async fn a_report_that_fits_no_call_is_kept_alone_and_absorbs_no_later_call() {
    let world = World::with(plan()).await;
    let caller = world.known_caller(1).await;
    let before = (now() - 60, now() - 1);
    let variables = || Variables::of(&world, &caller, "Inbound").over("Inbound", "00:00:59", before);
    let answer = report(&world, variables()).await;
    assert_eq!((answer["status"].as_str(), &answer["call_id"]), (Some("ignored"), &Value::Null));
    let row = world.client.query_one("select kind, outcome, state, body from webhooks", &[]).await.unwrap();
    let (kind, outcome, state): (String, String, String) = (row.get(0), row.get(1), row.get(2));
    assert_eq!((kind.as_str(), outcome.as_str(), state.as_str()), ("3cx_report", "ignored", "done"));
    assert_eq!(world.count("select count(*) from early_ends", &[]).await, 0);
    let call = world.ring("pbx-1", &caller).await;
    let answer = report(&world, variables()).await;
    assert_eq!(answer["call_id"], Value::Null, "the report of the call before");
    assert_eq!(world.completed(call).await.get::<_, String>("cause"), "completed");
    let outbound = Variables::of(&world, &caller, "Outbound").over("Outbound", "00:00:01", (now(), now()));
    assert_eq!(report(&world, outbound).await["status"], "ignored");
    let (status, listed) = world.get("/api/v1/webhooks").await;
    assert_eq!(status, 200, "{listed}");
    world.stop().await;
}

#[actix::test]
async fn an_erasure_takes_the_reports_of_the_caller() {
    let world = World::with(plan()).await;
    let caller = world.known_caller(1).await;
    report(&world, Variables::of(&world, &caller, "Inbound").over("Missed", "00:00:01", (now(), now())))
        .await;
    let kept = "select count(*) from webhooks where body is not null";
    assert_eq!(world.count(kept, &[]).await, 1);
    let url = format!("{}/api/v1/callers/{}?erase=true", world.app.url(), caller.replace('+', "%2B"));
    let answer = world.http.delete(url).bearer_auth(KEY).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(world.count(kept, &[]).await, 0);
    world.stop().await;
}

#[actix::test]
async fn the_template_needs_the_token_and_without_one_its_paths_are_not_there() {
    let (world, closed) = (World::with(plan()).await, World::new().await);
    let caller = world.known_caller(1).await;
    for (world, wrong, status, code) in
        [(&world, true, 401, "secret_wrong"), (&closed, false, 404, "not_found")]
    {
        for scenario in ["", "ReportCall"] {
            let mut variables =
                Variables::of(world, &caller, "Inbound").over("Inbound", "00:00:01", (now(), now()));
            for (name, value) in variables.0.iter_mut().filter(|(name, _)| wrong && *name == "[Token]") {
                *value = format!("{name}-wrong").replace(['[', ']'], "");
            }
            let (answered, problem) = play(world, scenario, &variables).await;
            assert_eq!((answered, problem["code"].as_str()), (status, Some(code)), "{scenario}");
        }
    }
    for world in [world, closed] {
        assert_eq!(world.count("select count(*) from webhooks", &[]).await, 0);
        world.stop().await;
    }
}

#[test]
fn the_template_asks_for_what_it_uses() {
    let template = Document::parse(TEMPLATE).unwrap();
    let root = template.root_element();
    assert_eq!((root.tag_name().name(), root.attribute("Name")), ("Crm", Some("precall")));
    let parameters: Vec<&str> = template
        .descendants()
        .filter(|it| it.has_tag_name("Parameter"))
        .map(|it| it.attribute("Name").unwrap())
        .collect();
    assert_eq!(parameters, ["BaseUrl", "Token", "ReportCallEnabled"]);
    let token = template.descendants().find(|it| it.attribute("Name") == Some("Token")).unwrap();
    assert_eq!(token.attribute("Type"), Some("Password"), "the console must not show it");
}
