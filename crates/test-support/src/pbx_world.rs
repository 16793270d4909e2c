//! A [`World`] with a simulated 3CX, whose trunk leads to the simulated ElevenLabs.

use std::ops::{Deref, DerefMut};
use std::time::Duration;

use precall_audio::prompts;
use precall_simulators::elevenlabs::{self, Fault, Script, SessionReport, Step};
use precall_simulators::threecx::{self, CallReport, NewCall, Options, Simulator, Trunk, Turn};
use serde_json::json;
use uuid::Uuid;

use crate::agents::allowing_agent;
use crate::plan::Plan;
use crate::sound::{Sound, tone_ms};
use crate::wait::until;
use crate::world::{SECRET, World, database, start_simulator, target};

/// The API client of the service at the PBX, and the DN of its route point.
pub const CLIENT: &str = "900";
/// The DN whose trunk leads to the agent.
pub const AGENT: &str = "800";
/// The DN of a person.
pub const PERSON: &str = "100";

/// Short, to keep tests short: the simulator speaks a character in 66 ms, and at least 400 ms in all.
const NOTICE: &str = "Taped.";
/// Longer than the notice, in the same voice. A caller who heard all of it did not hear the notice.
const APOLOGY: &str = "We are sorry";
const VOICE_OF_THE_HOUSE: &str = "voice_of_the_house";
/// Callers do not hear this much of the beginning, as with some telephones.
const DEAF_AT_FIRST: Duration = Duration::from_millis(250);
/// How long audio may still arrive after a hang-up, on a busy machine.
const HANGUP_GRACE: Duration = Duration::from_millis(400);
/// Conversations over a WebSocket end by their script, long before this.
const CONVERSATION_MAX: Duration = Duration::from_secs(600);
/// How long the agent's telephone rings.
const AGENT_RINGS_MS: u64 = 200;

/// Settings of a [`PbxWorld`].
pub struct PbxPlan {
    pub world: Plan,
    pub pbx: Options,
    /// The length of the recorded greeting.
    pub greeting_ms: u32,
    /// Faults of ElevenLabs that are there before the service starts.
    pub provider: Vec<Fault>,
    /// The simulated agent.
    pub agent: elevenlabs::Agent,
}

impl Default for PbxPlan {
    fn default() -> Self {
        let pbx = Options {
            discard_first: DEAF_AT_FIRST,
            hangup_grace: HANGUP_GRACE,
            ..Options::new(CLIENT, SECRET.parse().unwrap())
        };
        Self { world: Plan::default(), pbx, greeting_ms: 400, provider: Vec::new(), agent: allowing_agent() }
    }
}

/// A simulated 3CX with the API client [`CLIENT`].
pub async fn pbx_simulator() -> Simulator {
    Simulator::start(Options::new(CLIENT, SECRET.parse().unwrap())).await.unwrap()
}

impl PbxPlan {
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.world = self.world.env(name, value);
        self
    }

    /// Route `bridge`, with an agent that follows this script.
    pub fn bridge(self, script: Vec<Step>) -> Self {
        self.bridge_to(elevenlabs::Agent { script: Script::new(script).unwrap(), ..allowing_agent() })
    }

    /// Route `bridge`, with this agent.
    pub fn bridge_to(mut self, agent: elevenlabs::Agent) -> Self {
        self.world.conversation = CONVERSATION_MAX;
        self.agent = agent;
        // With a destination, a transfer would be one more rung of the ladder.
        self.env("CALL_ROUTE", "bridge").env("AGENT_DESTINATION", "")
    }

    /// The agent cannot be bridged: ElevenLabs refuses signed URLs.
    pub fn without_bridge(mut self) -> Self {
        let refused = Fault { status: Some(401), ..Fault::on("/v1/convai/conversation/get-signed-url") };
        self.provider.push(refused);
        self
    }

    /// Makes a clone take this long, so that callers wait on hold.
    pub fn clone_delay_ms(mut self, delay: &'static str) -> Self {
        self.world.clone_delay = delay;
        self
    }

    /// Keeps callers on hold until the deadline of the voice.
    pub fn holding(self) -> Self {
        self.env("AUTO_TRANSITION_ENABLED", "false")
    }
}

/// The running service with its simulated PBX and ElevenLabs.
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
        // Variables of the plan replace these. An empty value counts as not set.
        env.retain(|(name, _)| plan.env.iter().all(|(planned, _)| planned != name));
        env.extend(plan.env);
        plan.env = env;
        let notice = plan.env.iter().find(|(name, _)| name == "NOTICE_MESSAGE").map(|(_, text)| text.clone());
        simulator.set_faults(provider);
        let world = World::in_database(database(), simulator, plan).await;
        let hold = Sound::of(prompts::bundled_hold().pcm());
        let world = Self { world, pbx, greeting, hold, notice: notice.unwrap_or_default(), folder };
        world.connected().await;
        world
    }

    /// As [`World::restart`]. The PBX and its calls stay.
    pub async fn restart(self) -> Self {
        self.restart_while(|_| ()).await
    }

    /// The same, and runs `meanwhile` on the PBX while the service is stopped.
    pub async fn restart_while(self, meanwhile: impl FnOnce(&Simulator)) -> Self {
        let world = self.world.restart_while(|| meanwhile(&self.pbx)).await;
        world.ready().await;
        let world = Self { world, ..self };
        world.connected().await;
        world
    }

    /// Restarts while the database takes no connections. [`Self::open_database`] ends that.
    pub async fn restart_without_database(self) -> Self {
        self.let_connect(false).await;
        let world = self.world.restart_unreached().await;
        let world = Self { world, ..self };
        world.connected().await;
        world
    }

    /// The database takes connections again, and the service is ready.
    pub async fn open_database(&self) {
        self.let_connect(true).await;
        self.ready().await;
    }

    /// The connection of the test stays.
    async fn let_connect(&self, may: bool) {
        let statement = "update pg_database set datallowconn = $1 where datname = current_database()";
        self.execute(statement, &[&may]).await;
    }

    /// Sends webhooks of the PBX to the service, and waits until the service listens to its events.
    async fn connected(&self) {
        self.pbx.set_webhook(Some(target(&self.app, "/webhook/3cx")));
        until("the service listens to the PBX", || async { self.pbx.websockets() > 0 }).await;
    }

    /// A caller rings and is connected at once. Returns the PBX's id of the call.
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

    /// An operator hands the call over to the agent.
    pub async fn operator_hands_over(&self, call: Uuid) {
        self.operate(&format!("/api/v1/calls/{call}/handoff")).await;
    }

    pub fn presses(&self, pbx_id: &str, keys: &str) {
        assert!(self.pbx.dtmf(pbx_id, keys), "nobody hears the keys of call {pbx_id}");
    }

    /// Waits for the newest call with this id of the PBX. Returns its own id.
    pub async fn call_of(&self, pbx_id: &str) -> Uuid {
        let statement = "select id from call_log where threecx_call_id = $1
            order by call_started_at desc limit 1";
        self.until_row(&format!("call {pbx_id} is known"), statement, &[&pbx_id]).await.get(0)
    }

    /// The PBX's report of the call.
    pub fn report(&self, pbx_id: &str) -> CallReport {
        self.pbx.call(pbx_id).expect("the PBX knows the call")
    }

    /// Fails when the audio of a stream stopped for a second. A busy machine makes shorter gaps: `cargo bench` measures
    /// the 40 ms that a caller notices.
    pub fn audio_never_stopped(&self, pbx_id: &str, what: &str) {
        let gaps = self.report(pbx_id).gaps_ms;
        assert!(gaps.iter().all(|gap| *gap < 1_000), "the audio stopped: {gaps:?}; {what}");
    }

    /// What the caller has heard so far.
    pub fn heard(&self, pbx_id: &str) -> Sound {
        Sound::of_wav(&self.pbx.audio(pbx_id).unwrap_or_default())
    }

    /// How many milliseconds of the hold music count as this tone, because a note of it has the same pitch.
    pub fn music_like(hz: u32) -> usize {
        let (mut wav, music) = (vec![0; 44], prompts::bundled_hold());
        wav.extend_from_slice(music.pcm());
        tone_ms(&wav, hz)
    }

    /// How many milliseconds of this tone the caller has heard.
    pub fn tone_ms(&self, pbx_id: &str, hz: u32) -> usize {
        tone_ms(&self.pbx.audio(pbx_id).unwrap_or_default(), hz)
    }

    /// Waits until the caller has heard all of this sound.
    pub async fn hears(&self, pbx_id: &str, sound: &Sound) {
        let what = format!("the caller of {pbx_id} hears it: {:?}", self.report(pbx_id).state);
        until(&what, || async { self.heard(pbx_id).contains(sound) }).await;
    }

    /// The sound of the notice.
    pub async fn notice(&self) -> Sound {
        self.spoken(&self.notice).await
    }

    /// The sound of the apology.
    pub async fn apology(&self) -> Sound {
        self.spoken(APOLOGY).await
    }

    /// The sound of an agent that speaks for this long in this voice.
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

    /// The WebSocket conversations of this call, oldest first.
    pub fn talks(&self, call: Uuid) -> Vec<SessionReport> {
        let is_of_call = |talk: &SessionReport| talk.initiation["user_id"] == json!(call.to_string());
        self.simulator.sessions().into_iter().filter(is_of_call).collect()
    }

    /// Waits until the call's conversation of this number (1 is the first) has begun. Returns it.
    pub async fn talk(&self, call: Uuid, number: usize) -> SessionReport {
        let what = format!("conversation {number} of the call begins");
        until(&what, || async {
            self.talks(call).len() >= number && self.talks(call)[number - 1].began_after_ms.is_some()
        })
        .await;
        self.talks(call).swap_remove(number - 1)
    }

    /// Waits until the condition holds for the report of the PBX. Returns the report.
    pub async fn at_pbx(
        &self,
        pbx_id: &str,
        what: &str,
        condition: impl Fn(&CallReport) -> bool,
    ) -> CallReport {
        until(what, || async { condition(&self.report(pbx_id)) }).await;
        self.report(pbx_id)
    }

    /// The requests of this method that the PBX received, at paths that end so.
    pub fn asked(&self, method: &str, suffix: &str) -> Vec<serde_json::Value> {
        let is = |request: &serde_json::Value| {
            request["method"] == method && request["path"].as_str().is_some_and(|path| path.ends_with(suffix))
        };
        self.pbx.requests().into_iter().filter(is).collect()
    }

    /// The time from the appearance of the call's first leg to its first `routeto`.
    pub fn routed_after(&self, pbx_id: &str) -> Duration {
        let report = self.report(pbx_id);
        let orders = self.asked("POST", &format!("/participants/{}/routeto", report.participant_id));
        let at = |text: &str| text.parse::<jiff::Timestamp>().unwrap();
        let ordered = at(orders.first().expect("it was routed")["at"].as_str().unwrap());
        ordered.duration_since(at(&report.appeared_at.expect("it appeared"))).unsigned_abs()
    }

    /// Stops everything. Every call must have ended by itself, and each leg may have had one audio stream at most.
    pub async fn stop(self) {
        for call in self.pbx.calls() {
            assert!(call.posts_opened <= 1, "a stream was opened again: {call:?}");
        }
        self.stop_after_cuts().await;
    }

    /// As [`Self::stop`], for tests that cut audio streams.
    pub async fn stop_after_cuts(self) {
        until("no leg is left", || async { self.pbx.legs() == 0 }).await;
        for call in self.pbx.calls() {
            let late = (call.bytes_after_hangup, call.bytes_after_transfer);
            assert_eq!(late, (0, 0), "audio after the caller or the leg had gone: {call:?}");
        }
        self.world.stop().await;
        self.pbx.stop().await;
        drop(self.folder);
    }
}

/// The agent's telephone rings for a moment, then the agent answers.
pub fn agent_answers() -> Turn {
    Turn {
        outcome: threecx::Outcome::Answered,
        after_ms: Some(AGENT_RINGS_MS),
        destination: Some(AGENT.to_owned()),
        ..Turn::default()
    }
}
