//! A [`World`] with a PBX: a simulated 3CX whose trunk leads to the simulated ElevenLabs, and the service on live legs.

use std::ops::{Deref, DerefMut};
use std::time::Duration;

use precall_actors::prompts;
use precall_simulators::elevenlabs::{self, Fault, Script, SessionReport, Step};
use precall_simulators::threecx::{self, CallReport, NewCall, Options, Simulator, Trunk, Turn};
use serde_json::json;
use uuid::Uuid;

use super::{Plan, SECRET, Sound, World, database, start_simulator, target, tone_ms, until};

/// The API client of the service, and its route point.
pub const CLIENT: &str = "900";
/// The DN whose trunk leads to the agent.
pub const AGENT: &str = "800";
/// Where a person is.
pub const PERSON: &str = "100";

/// Short, so that tests are: each character takes 66 ms, and nothing less than 400.
const NOTICE: &str = "Taped.";
/// Longer than the notice, in the same voice: where all of it was heard, it was not the notice.
const APOLOGY: &str = "We are sorry";
const VOICE_OF_THE_HOUSE: &str = "voice_of_the_house";
/// So much of the beginning no caller hears, as on some telephones.
const DEAF_AT_FIRST: Duration = Duration::from_millis(250);
/// A busy machine may need so long until a hang-up is known to whoever sends audio.
const HANGUP_GRACE: Duration = Duration::from_millis(400);
/// Conversations over a WebSocket end by their script.
const CONVERSATION_MAX: Duration = Duration::from_secs(600);
/// How long the agent's telephone rings: what comes before must have been heard by then.
const AGENT_RINGS_MS: u64 = 200;

/// What a world with a PBX is made of.
pub struct PbxPlan {
    pub world: Plan,
    pub pbx: Options,
    /// How long the greeting is.
    pub greeting_ms: u32,
    /// What is wrong with the provider already when the service starts.
    pub provider: Vec<Fault>,
    /// Who speaks with the callers.
    pub agent: elevenlabs::Agent,
}

impl Default for PbxPlan {
    fn default() -> Self {
        let pbx = Options {
            discard_first: DEAF_AT_FIRST,
            hangup_grace: HANGUP_GRACE,
            ..Options::new(CLIENT, SECRET.parse().unwrap())
        };
        Self {
            world: Plan::default(),
            pbx,
            greeting_ms: 400,
            provider: Vec::new(),
            agent: Default::default(),
        }
    }
}

impl PbxPlan {
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.world = self.world.env(name, value);
        self
    }

    /// The agent speaks on the caller's own leg, by this script, for as long as the script takes.
    pub fn bridge(self, script: Vec<Step>) -> Self {
        self.bridge_to(elevenlabs::Agent { script: Script::new(script).unwrap(), ..Default::default() })
    }

    /// Likewise with an agent that is set up in a special way.
    pub fn bridge_to(mut self, agent: elevenlabs::Agent) -> Self {
        self.world.conversation = CONVERSATION_MAX;
        self.agent = agent;
        // A destination of the trunk would be one more rung.
        self.env("CALL_ROUTE", "bridge").env("AGENT_DESTINATION", "")
    }

    /// No agent can be brought onto a leg.
    pub fn without_bridge(mut self) -> Self {
        let refused = Fault { status: Some(401), ..Fault::on("/v1/convai/conversation/get-signed-url") };
        self.provider.push(refused);
        self
    }

    /// A clone takes so long, so that callers wait on hold.
    pub fn clone_delay_ms(mut self, delay: &'static str) -> Self {
        self.world.clone_delay = delay;
        self
    }

    /// Nobody is brought in until the voice is overdue, whatever the greeting does: callers stay on hold.
    pub fn holding(self) -> Self {
        self.env("AUTO_TRANSITION_ENABLED", "false")
    }
}

/// Everything, running.
pub struct PbxWorld {
    world: World,
    pub pbx: Simulator,
    pub greeting: Sound,
    pub hold: Sound,
    notice: String,
    folder: tempfile::TempDir,
}

impl Deref for PbxWorld {
    type Target = World;

    fn deref(&self) -> &World {
        &self.world
    }
}

impl DerefMut for PbxWorld {
    fn deref_mut(&mut self) -> &mut World {
        &mut self.world
    }
}

impl PbxWorld {
    pub async fn new() -> Self {
        Self::with(PbxPlan::default()).await
    }

    pub async fn with(plan: PbxPlan) -> Self {
        let PbxPlan { world: mut plan, pbx: options, greeting_ms, provider, agent } = plan;
        let simulator = start_simulator(&plan).await;
        simulator.set_agent(agent);
        let trunk: Trunk = format!("{AGENT}={}", simulator.url()).parse().unwrap();
        let trunk = Trunk { agent_id: Some("agent_test".to_owned()), ..trunk };
        let pbx = Simulator::start(Options { trunks: vec![trunk], ..options }).await.unwrap();
        pbx.set_routeto(vec![agent_answers()]);
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("greeting.wav");
        let greeting = Sound::record(&file, greeting_ms);
        let (file, cache) = (file.display().to_string(), folder.path().join("prompts").display().to_string());
        let mut env: Vec<(String, String)> = [
            ("CALL_ROUTE", "transfer"),
            ("THREECX_BASE_URL", &pbx.base_url()),
            ("THREECX_CLIENT_ID", CLIENT),
            ("THREECX_CLIENT_SECRET", SECRET),
            ("AGENT_DESTINATION", AGENT),
            ("FALLBACK_DESTINATION", PERSON),
            ("FALLBACK_DTMF", "0"),
            ("GREETING_SKIP_DTMF", "1"),
            ("INITIATION_SECRET", SECRET),
            ("GREETING_AUDIO_FILE", &file),
            ("GREETING_VOICE_ID", VOICE_OF_THE_HOUSE),
            ("NOTICE_MESSAGE", NOTICE),
            ("APOLOGY_MESSAGE", APOLOGY),
            ("PROMPT_CACHE_DIR", &cache),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
        // What the plan says goes before; an empty value is none, as everywhere.
        env.retain(|(name, _)| plan.env.iter().all(|(planned, _)| planned != name));
        env.extend(plan.env);
        plan.env = env;
        let notice = plan.env.iter().find(|(name, _)| name == "NOTICE_MESSAGE").map(|(_, text)| text.clone());
        simulator.set_faults(provider);
        let database = database();
        let url = database.url().to_owned();
        let world = World { _database: Some(database), ..World::around(url, simulator, plan).await };
        let hold = Sound::of(prompts::bundled_hold().pcm());
        let world = Self { world, pbx, greeting, hold, notice: notice.unwrap_or_default(), folder };
        world.connected().await;
        world
    }

    /// As [`World::restart`]: the PBX and its calls stay as they are.
    pub async fn restart(self) -> Self {
        self.restart_while(|_| ()).await
    }

    /// The same, with something that happens at the PBX while nobody serves.
    pub async fn restart_while(self, meanwhile: impl FnOnce(&Simulator)) -> Self {
        let world = self.world.restart_while(|| meanwhile(&self.pbx)).await;
        world.ready().await;
        let world = Self { world, ..self };
        world.connected().await;
        world
    }

    /// Waits until the service hears of calls, and says where it hears of webhooks.
    async fn connected(&self) {
        self.pbx.set_webhook(Some(target(&self.app, "/webhook/3cx")));
        until("the service listens to the PBX", || async { self.pbx.websockets() > 0 }).await;
    }

    /// Somebody rings, and is connected at once; the PBX's id of the call.
    pub fn rings(&self, caller: &str) -> String {
        self.rings_so(NewCall::from(caller))
    }

    /// Somebody rings in a special way.
    pub fn rings_so(&self, call: NewCall) -> String {
        self.pbx.place_call(call).expect("the call is placed").call_id
    }

    pub fn hangs_up(&self, pbx_id: &str) {
        assert!(self.pbx.hang_up(pbx_id), "call {pbx_id} was over");
    }

    /// An operator ends the call, and it is over.
    pub async fn operator_ends(&self, call: Uuid) {
        self.operate(&format!("/api/v1/calls/{call}/hangup")).await;
        self.released(call).await;
    }

    /// An operator hands the call to the agent.
    pub async fn operator_hands_over(&self, call: Uuid) {
        self.operate(&format!("/api/v1/calls/{call}/handoff")).await;
    }

    pub fn presses(&self, pbx_id: &str, keys: &str) {
        assert!(self.pbx.dtmf(pbx_id, keys), "nobody hears the keys of call {pbx_id}");
    }

    /// Our newest call with that id of the PBX's, once it is there.
    pub async fn call_of(&self, pbx_id: &str) -> Uuid {
        let statement = "select id from call_log where threecx_call_id = $1
            order by call_started_at desc limit 1";
        self.until_row(&format!("call {pbx_id} is known"), statement, &[&pbx_id]).await.get(0)
    }

    /// As the PBX sees it.
    pub fn report(&self, pbx_id: &str) -> CallReport {
        self.pbx.call(pbx_id).expect("the PBX knows the call")
    }

    /// What the caller has heard until now.
    pub fn heard(&self, pbx_id: &str) -> Sound {
        Sound::of_wav(&self.pbx.audio(pbx_id).unwrap_or_default())
    }

    /// How many milliseconds of this tone the caller has heard.
    /// So much of the hold music may pass for this tone: a note of it can be as high.
    pub fn music_like(hz: u32) -> usize {
        let (mut wav, music) = (vec![0; 44], prompts::bundled_hold());
        wav.extend_from_slice(music.pcm());
        tone_ms(&wav, hz)
    }

    pub fn tone_ms(&self, pbx_id: &str, hz: u32) -> usize {
        tone_ms(&self.pbx.audio(pbx_id).unwrap_or_default(), hz)
    }

    /// Waits until the caller has heard all of it.
    pub async fn hears(&self, pbx_id: &str, sound: &Sound) {
        let what = format!("the caller of {pbx_id} hears it: {:?}", self.report(pbx_id).state);
        until(&what, || async { self.heard(pbx_id).contains(sound) }).await;
    }

    /// What the notice sounds like.
    pub async fn notice(&self) -> Sound {
        self.spoken(&self.notice).await
    }

    /// What the apology sounds like.
    pub async fn apology(&self) -> Sound {
        self.spoken(APOLOGY).await
    }

    /// What an agent sounds like who speaks for so long in this voice.
    pub async fn in_voice(&self, voice: &str, ms: usize) -> Sound {
        // A tenth of a second is a whole number of its turns.
        let tenth = self.synthesised(voice, "Anything.").await[..1_600].repeat(ms.div_ceil(100));
        Sound::of(&tenth[..ms * 16])
    }

    async fn spoken(&self, text: &str) -> Sound {
        Sound::of(&self.synthesised(VOICE_OF_THE_HOUSE, text).await)
    }

    async fn synthesised(&self, voice: &str, text: &str) -> Vec<u8> {
        let url = format!("{}/v1/text-to-speech/{voice}?output_format=pcm_8000", self.simulator.url());
        let mut answer = self.http.post(url).send_json(&json!({ "text": text })).await.unwrap();
        answer.body().limit(1 << 20).await.unwrap().to_vec()
    }

    /// The conversations over WebSockets of a call of ours, oldest first.
    pub fn talks(&self, call: Uuid) -> Vec<SessionReport> {
        let is_of_call = |talk: &SessionReport| talk.initiation["user_id"] == json!(call.to_string());
        self.simulator.sessions().into_iter().filter(is_of_call).collect()
    }

    /// Waits until so many conversations of the call have begun; the last.
    pub async fn talk(&self, call: Uuid, number: usize) -> SessionReport {
        let what = format!("conversation {number} of the call begins");
        until(&what, || async {
            self.talks(call).len() >= number && self.talks(call)[number - 1].began_after_ms.is_some()
        })
        .await;
        self.talks(call).swap_remove(number - 1)
    }

    /// Waits until the PBX says so of the call.
    pub async fn at_pbx(
        &self,
        pbx_id: &str,
        what: &str,
        condition: impl Fn(&CallReport) -> bool,
    ) -> CallReport {
        until(what, || async { condition(&self.report(pbx_id)) }).await;
        self.report(pbx_id)
    }

    /// What was asked of the PBX by this method at paths that end so.
    pub fn asked(&self, method: &str, suffix: &str) -> Vec<serde_json::Value> {
        let is = |request: &serde_json::Value| {
            request["method"] == method && request["path"].as_str().is_some_and(|path| path.ends_with(suffix))
        };
        self.pbx.requests().into_iter().filter(is).collect()
    }

    /// From the moment at which the call's first leg appeared to the order to route it somewhere.
    pub fn routed_after(&self, pbx_id: &str) -> Duration {
        let report = self.report(pbx_id);
        let orders = self.asked("POST", &format!("/participants/{}/routeto", report.participant_id));
        let at = |text: &str| text.parse::<jiff::Timestamp>().unwrap();
        let ordered = at(orders.first().expect("it was routed")["at"].as_str().unwrap());
        ordered.duration_since(at(&report.appeared_at.expect("it appeared"))).unsigned_abs()
    }

    /// Ends it all. Every call must be over by itself, and every leg have had one stream at most.
    pub async fn stop(self) {
        for call in self.pbx.calls() {
            assert!(call.posts_opened <= 1, "a stream was opened again: {call:?}");
        }
        self.stop_after_cuts().await;
    }

    /// As [`Self::stop`], where the test cut streams.
    pub async fn stop_after_cuts(self) {
        until("no leg is left", || async { self.pbx.legs() == 0 }).await;
        for call in self.pbx.calls() {
            let late = (call.bytes_after_hangup, call.bytes_after_transfer);
            assert_eq!(late, (0, 0), "audio for somebody who had gone: {call:?}");
        }
        self.world.stop().await;
        self.pbx.stop().await;
        drop(self.folder);
    }
}

/// The agent's telephone rings for a moment, then the agent is there.
pub fn agent_answers() -> Turn {
    Turn {
        outcome: threecx::Outcome::Answered,
        after_ms: Some(AGENT_RINGS_MS),
        destination: Some(AGENT.to_owned()),
        ..Turn::default()
    }
}
