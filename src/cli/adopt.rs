//! `precall migrate --adopt`: takes over the database of a VoiceClone Pre-Call Service.

mod report;
mod samples;

use precall_base::clock;
use precall_store::connect::Dedicated;
use precall_store::schema::adopt::{self, Consents, Looked, Survey};
use precall_store::schema::migrate::{Limits, MigrateError};
use precall_store::schema::{embedded, migrate};

use super::{Exit, callers, environment, external_database, unusable};
use crate::app;
use crate::config::{Config, VoiceClone};
use report::{Finding, Findings};
use samples::SeenSamples;

const APPLICATION: &str = "precall migrate";
const EMBEDDED: &str = "DATABASE_URL is not set: only the service itself can reach the embedded database";
/// Longest text of a consent, in characters, as in the API.
const BASIS_MAX: usize = 20_000;

/// Whether anything is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Run {
    /// Nothing is changed.
    Dry,
    /// The database is adopted.
    Real,
}

/// What the command was told.
struct Order<'a> {
    run: Run,
    basis: Option<&'a str>,
    clone: VoiceClone,
    region: precall_base::phone_number::Region,
}

/// Adopts, or says what an adoption would do.
///
/// # Errors
/// Why nothing was changed.
pub(super) async fn run(run: Run, basis: Option<&str>) -> Result<Exit, MigrateError> {
    if basis.is_some_and(|basis| !is_prose(basis)) {
        return Ok(unusable(&format!(
            "--consent-basis must have 1 to {BASIS_MAX} characters, not only spaces, and no control characters: say \
             where the consents are, such as 'Signed forms of 2024, folder 12'"
        )));
    }
    let region = match callers::region() {
        Ok(region) => region,
        Err(exit) => return Ok(exit),
    };
    let clone = match environment().and_then(|set| Config::clone_from_map(&set)) {
        Ok(clone) => clone,
        Err(error) => return Ok(unusable(&error)),
    };
    let mut connected = match external_database(APPLICATION, EMBEDDED).await {
        Ok(connected) => connected,
        Err(exit) => return Ok(exit),
    };
    let order = Order { run, basis, clone, region };
    match adopt::look(&mut connected.client, &embedded::runner(), region, Limits::default()).await? {
        Looked::Before(survey) => before(&mut connected, &order, *survey).await,
        Looked::Own { adopted: None, pending: 0, .. } => {
            println!("this is a database of precall, with no tables of another service to take over");
            Ok(if order.basis.is_some() {
                unusable(&"--consent-basis is for an adopted database: record consents with the API")
            } else {
                Exit::Good
            })
        }
        Looked::Own { adopted, samples, pending } => {
            if let Some(at) = adopted {
                println!("this database was adopted on {at}: there is nothing to take over");
            }
            own(&mut connected, &order, samples, pending).await
        }
        Looked::Empty { schema } => Ok(unusable(&format!(
            "the schema {schema} has no tables of a VoiceClone Pre-Call Service: correct DATABASE_URL, or run `precall \
             migrate` for a new database"
        ))),
    }
}

/// A database of the service before.
async fn before(connected: &mut Dedicated, order: &Order<'_>, survey: Survey) -> Result<Exit, MigrateError> {
    if !survey.obstacles.is_empty() {
        eprintln!("precall: nothing was changed. First settle this:");
        for obstacle in &survey.obstacles {
            eprintln!("  {obstacle}");
        }
        return Ok(Exit::Unusable);
    }
    let seen = match seen(order, &survey.samples).await {
        Ok(seen) => seen,
        Err(exit) => return Ok(exit),
    };
    let survey = match order.run {
        Run::Dry => survey,
        Run::Real => {
            let consents = order.basis.map(|basis| Consents { basis, hashes: seen.hashes() });
            let (changed, imported) = adopt::adopt(
                &mut connected.client,
                &embedded::runner(),
                order.region,
                consents,
                clock::wall(),
                Limits::default(),
            )
            .await?;
            let counted = seen.covered(&changed.samples);
            if order.basis.is_some() && counted != (imported.consents, imported.callers) {
                println!(
                    "{} consents for {} callers: the mapped callers changed since their samples were read",
                    imported.consents, imported.callers
                );
            }
            changed
        }
    };
    report::survey(order.run, &survey);
    if order.basis.is_some() {
        let (consents, callers) = seen.covered(&survey.samples);
        report::line(consents, &format!("speakers agree, on the basis given, for {callers} mapped callers"));
    }
    findings(order, &survey.samples, &seen).also_of(order.run, &survey).print();
    if order.run == Run::Real {
        println!("adopted. Next: `precall verify`, then `precall check`, then start the service");
    }
    Ok(Exit::Good)
}

/// A database of precall: only consents can be missing.
async fn own(
    connected: &mut Dedicated,
    order: &Order<'_>,
    waiting: Vec<String>,
    pending: usize,
) -> Result<Exit, MigrateError> {
    if pending > 0 {
        match order.run {
            Run::Dry => println!("`precall migrate` would apply {pending} migrations"),
            Run::Real => {
                let applied =
                    migrate::migrate(&mut connected.client, &embedded::runner(), Limits::default()).await?;
                println!("applied {applied:?}");
            }
        }
        if order.basis.is_some() {
            println!("no consent was looked at: run the same command again when the migrations are applied");
        }
        return Ok(Exit::Good);
    }
    if waiting.is_empty() {
        return Ok(Exit::Good);
    }
    let seen = match seen(order, &waiting).await {
        Ok(seen) => seen,
        Err(exit) => return Ok(exit),
    };
    if let Some(basis) = order.basis {
        let (consents, callers) = match order.run {
            Run::Dry => seen.covered(&waiting),
            Run::Real => {
                let consents = Consents { basis, hashes: seen.hashes() };
                let imported =
                    adopt::consent(&mut connected.client, consents, clock::wall(), Limits::default()).await?;
                (imported.consents, imported.callers)
            }
        };
        report::line(consents, &format!("speakers agree, on the basis given, for {callers} mapped callers"));
    }
    findings(order, &waiting, &seen).print();
    Ok(Exit::Good)
}

async fn seen(order: &Order<'_>, samples: &[String]) -> Result<SeenSamples, Exit> {
    let store = app::samples(&order.clone).map_err(|error| unusable(&error))?;
    Ok(SeenSamples::look(&store, samples).await)
}

/// What is wrong with the mapped callers, and the commands that settle it.
fn findings(order: &Order<'_>, mapped: &[String], seen: &SeenSamples) -> Findings {
    let mut findings = Findings::default();
    let all = mapped.len();
    let (_, covered) = match order.basis {
        Some(_) => seen.covered(mapped),
        None => (0, 0),
    };
    let lacking = u64::try_from(all).unwrap_or(u64::MAX).saturating_sub(covered);
    let effect = if order.clone.consent_required {
        "they will hear the fallback voice"
    } else {
        "CONSENT_REQUIRED is off, so their voices are cloned all the same"
    };
    let why = match order.basis {
        Some(_) => ", because their samples cannot be read",
        None => "",
    };
    let have = if lacking == 1 { "has" } else { "have" };
    findings.add(
        lacking,
        format!("{lacking} of {all} mapped callers {have} no consent{why}: {effect}"),
        match order.basis {
            Some(_) => "settle the samples below, then run the same command again".to_owned(),
            None => "precall migrate --adopt --consent-basis 'WHERE THE CONSENTS ARE'".to_owned(),
        },
    );
    findings.extend(seen.findings(&order.clone));
    findings
}

impl Findings {
    /// With what the old tables themselves show.
    fn also_of(mut self, run: Run, survey: &Survey) -> Self {
        let aside = u64::try_from(survey.unreadable).unwrap_or(0);
        self.extend([
            Finding {
                count: aside,
                words: format!(
                    "{aside} spellings of callers are no telephone numbers: their calls keep the text, and nobody with \
                     it has a voice"
                ),
                settle: match run {
                    Run::Dry => {
                        "set DEFAULT_REGION, if they are numbers of one country without its code, and look again"
                    }
                    Run::Real => "name them as telephone numbers: precall callers import FILE",
                }
                .to_owned(),
            },
            Finding {
                count: u64::try_from(survey.voices).unwrap_or(0),
                words: format!(
                    "{} cached voices do not say from which sample they were made: where consents are required precall \
                     clones them again, and it never deletes these at ElevenLabs",
                    survey.voices
                ),
                settle: "after the start: precall voices warm; then delete the old voices at ElevenLabs".to_owned(),
            },
            Finding {
                count: u64::try_from(survey.others).unwrap_or(0),
                words: format!("other sessions use this database: {}", survey.others),
                settle: "stop the old service, such as: docker compose stop voiceclone-precall".to_owned(),
            },
        ]);
        self
    }
}

fn is_prose(text: &str) -> bool {
    let is_bad = |letter: char| letter.is_control() && !matches!(letter, '\n' | '\r' | '\t');
    !text.trim().is_empty() && text.chars().count() <= BASIS_MAX && !text.contains(is_bad)
}
