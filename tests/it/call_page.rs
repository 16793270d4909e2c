//! The page of a played call, with the real database.

use precall_simulators::elevenlabs::Act;
use precall_simulators::elevenlabs::Step;
use uuid::Uuid;

use crate::callers::{OPERATOR, READER, with_keys};
use crate::live_bridge::{ends, hears, say, waits};
use crate::support::{KEY, PbxPlan, PbxWorld, World};

/// A browser that has signed in.
struct Browser<'a> {
    world: &'a World,
    http: awc::Client,
    cookie: String,
}

impl<'a> Browser<'a> {
    async fn of(world: &'a World, key: &str) -> Self {
        let form = format!("key={key}");
        // It does not follow redirects.
        let http = awc::Client::builder().disable_redirects().finish();
        let request = http.post(format!("{}/sign-in", world.app.url()));
        let answer = request.content_type("application/x-www-form-urlencoded").send_body(form).await.unwrap();
        assert_eq!(answer.status(), 303);
        let set = answer.headers().get("set-cookie").unwrap().to_str().unwrap();
        Self { world, http, cookie: set.split(';').next().unwrap().to_owned() }
    }

    async fn get(&self, path: &str) -> (u16, String) {
        let url = format!("{}{path}", self.world.app.url());
        let request = self.http.get(url).insert_header(("cookie", self.cookie.as_str()));
        let mut answer = request.send().await.unwrap();
        let body = answer.body().limit(16 << 20).await.unwrap();
        (answer.status().as_u16(), String::from_utf8_lossy(&body).into_owned())
    }

    /// The page, which must be there.
    async fn page(&self, path: &str) -> String {
        let (status, page) = self.get(path).await;
        assert_eq!(status, 200, "{path}: {page}");
        page
    }

    async fn shows_personal(&self) {
        let page = self.page("/").await;
        let token = page.split("name=\"csrf\" content=\"").nth(1).unwrap().split('"').next().unwrap();
        let request = self.http.post(format!("{}/session/personal", self.world.app.url()));
        let request = request
            .insert_header(("cookie", self.cookie.as_str()))
            .content_type("application/x-www-form-urlencoded");
        let answer = request.send_body(format!("csrf={token}&show=true")).await.unwrap();
        assert_eq!(answer.status(), 303);
    }
}

async fn looks(world: &World, call: Uuid) -> i64 {
    world.count("select count(*) from audit_log where action = 'call_seen' and subject = $1", &[&call]).await
}

const MARKUP: &str = "<img src=x onerror=alert(1)>";

#[actix::test]
async fn the_page_of_a_call_tells_its_story_and_shows_each_state() {
    let script = vec![say(400), Step::Act(Act::Transcribe { text: MARKUP.to_owned() }), say(400), ends()];
    let plan = PbxPlan { world: with_keys(), ..PbxPlan::default() }.bridge(script).clone_delay_ms("2500");
    let world = PbxWorld::with(plan).await;
    let number = world.known_caller(1).await;
    let pbx_id = world.rings(&number);
    let call = world.call_of(&pbx_id).await;
    world.completed(call).await;
    world.until_row("the words are stored", WORDS, &[&call]).await;
    let path = format!("/calls/{call}");

    let reader = Browser::of(&world, READER).await;
    let page = reader.page(&path).await;
    for part in [
        "the agent said goodbye",
        "nobody&#39;s",
        "heard the greeting, talked with the agent",
        "The transcript is hidden",
        "the caller heard",
        "hold music",
        "clone job",
        "The caller hears the agent for the first time",
    ] {
        let unescaped = part.replace("&#39;", "'");
        assert!(page.contains(part) || page.contains(&unescaped), "{part}: {page}");
    }
    for hidden in
        [number.as_str(), MARKUP, "class=\"action\"", "/hangup", "/retry-clone", "id=\"wire\"", "id=\"log\""]
    {
        assert!(!page.contains(hidden), "a read key sees {hidden}");
    }
    assert_eq!(looks(&world, call).await, 0, "masks are no look at personal data");

    // Time travel: the state after each event, and what changed.
    let moment = reader.page(&format!("{path}?at=1")).await;
    assert!(moment.contains("This is the first state") && moment.contains("<dd>offered</dd>"), "{moment}");
    let (found, at) = event(&world, call, "agent_spoke").await;
    let moment = reader.page(&format!("{path}?at={at}")).await;
    assert!(
        moment.contains("class=\"cursor\"") && moment.contains(&format!("?at={}#state", at + 1)),
        "{found}"
    );
    assert!(moment.contains("instants: agent heard"), "{moment}");

    // The other ids of the call lead to its page.
    let answer = reader.http.get(format!("{}/calls/{pbx_id}?at=2", world.app.url()));
    let answer = answer.insert_header(("cookie", reader.cookie.as_str())).send().await.unwrap();
    let place = answer.headers().get("location").map(|place| place.to_str().unwrap().to_owned());
    assert_eq!((answer.status().as_u16(), place), (303, Some(format!("{path}?at=2"))));
    let (status, page) = reader.get("/calls/no-such-call").await;
    assert!(status == 404 && page.contains("<html"), "{page}");

    let operator = Browser::of(&world, OPERATOR).await;
    let page = operator.page(&path).await;
    for part in
        ["/retry-clone", "id=\"wire\"", "id=\"log\"", "Requests", "/v1/convai/conversation/get-signed-url"]
    {
        assert!(page.contains(part), "{part}: {page}");
    }
    assert!(!page.contains("/hangup"), "the call is over");

    // With personal data: text from outside is text, and the look is in the audit trail once.
    let admin = Browser::of(&world, KEY).await;
    admin.shows_personal().await;
    let page = admin.page(&path).await;
    assert!(page.contains("&lt;img src=x onerror=alert(1)&gt;") && !page.contains("<img"), "{page}");
    assert!(page.contains(&number), "{page}");
    admin.page(&path).await;
    assert_eq!(looks(&world, call).await, 1);
    world.stop().await;
}

const WORDS: &str = "select 1 from call_events where call = $1 and event ->> 'kind' = 'line_spoken' and \
                     event ->> 'by' = 'caller'";

/// The kind and number of an event of the call.
async fn event(world: &World, call: Uuid, kind: &str) -> (String, i64) {
    let sql =
        "select event ->> 'kind', seq from call_events where call = $1 and event ->> 'kind' = $2 limit 1";
    let row = world.until_row("the event is stored", sql, &[&call, &kind]).await;
    (row.get(0), row.get(1))
}

#[actix::test]
async fn the_page_of_a_live_call_has_actions_for_operators_only() {
    let world = with_keys().env("TRANSFER_DESTINATIONS", "sales=101");
    let plan = PbxPlan { world, ..PbxPlan::default() }.bridge(vec![say(400), hears("Hello"), waits(30_000)]);
    let world = PbxWorld::with(plan).await;
    let pbx_id = world.rings(&world.known_caller(1).await);
    let call = world.call_of(&pbx_id).await;
    world.in_state(call, "conversing").await;
    let path = format!("/calls/{call}");
    let operator = Browser::of(&world, OPERATOR).await;
    let page = operator.page(&path).await;
    for part in [
        "/hangup",
        "/handoff",
        "/transfer",
        "<option value=\"sales\">",
        "data-live",
        "Running now, with the wait of a message in the mailbox: call",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    let page = Browser::of(&world, READER).await.page(&path).await;
    assert!(!page.contains("class=\"action\""), "{page}");
    world.hangs_up(&pbx_id);
    world.stop().await;
}
