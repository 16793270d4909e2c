//! The account's voices: slots, clones, and which ids are gone. Pure; the endpoints over it are in
//! `voice_endpoints`.

use std::collections::{HashMap, HashSet, VecDeque};

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::audio::voice_tone_hz;
use super::ids;

/// Deleted ids that are remembered; beyond it the oldest would be taken as existing again.
const DELETED_KEPT: usize = 100_000;
/// Two tones that differ by this much are never taken for each other, not even in 20 ms of sound.
const DISTINCT_HZ: u32 = 20;
/// So many clones have tones of their own.
const FEW_CLONES: usize = 12;
/// Even the twelfth clone finds a tone of its own with nearly every second draw.
const MOST_DRAWS: usize = 100;

/// A clone that holds a slot.
#[derive(Clone, Debug)]
pub(super) struct Voice {
    pub id: String,
    pub name: String,
    pub description: Option<String>,
    pub labels: Map<String, Value>,
    pub samples: Vec<Sample>,
    pub remove_background_noise: bool,
    pub created_at: Timestamp,
    /// Order of creation.
    pub number: u64,
}

/// One uploaded file of a clone.
#[derive(Clone, Debug)]
pub(super) struct Sample {
    pub id: String,
    pub file_name: String,
    pub mime_type: String,
    pub size: u64,
    pub hash: String,
}

/// What a request said about the clone that it wants.
#[derive(Clone, Debug)]
pub(super) struct NewVoice {
    pub name: String,
    pub description: Option<String>,
    pub labels: Map<String, Value>,
    pub samples: Vec<Sample>,
    pub remove_background_noise: bool,
}

/// Every slot is taken or promised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SlotsFull;

/// The table of voices.
#[derive(Debug)]
pub(super) struct Voices {
    slots: u32,
    /// The library voices that exist; None: every one.
    library: Option<HashSet<String>>,
    /// Slots of clones that are being made.
    promised: u32,
    created: u64,
    clones: HashMap<String, Voice>,
    deleted: HashSet<String>,
    deleted_order: VecDeque<String>,
}

impl Voices {
    /// Every clone was made a day earlier than it was.
    pub fn age(&mut self) {
        for voice in self.clones.values_mut() {
            voice.created_at = voice
                .created_at
                .saturating_sub(jiff::SignedDuration::from_hours(24))
                .unwrap_or(voice.created_at);
        }
    }

    /// An account with this many slots.
    pub fn with_slots(slots: u32) -> Self {
        Self {
            slots,
            library: None,
            promised: 0,
            created: 0,
            clones: HashMap::new(),
            deleted: HashSet::new(),
            deleted_order: VecDeque::new(),
        }
    }

    /// Takes a slot for a clone that is being made.
    pub(crate) fn promise_slot(&mut self) -> Result<(), SlotsFull> {
        if self.used().saturating_add(self.promised) >= self.slots {
            return Err(SlotsFull);
        }
        self.promised = self.promised.saturating_add(1);
        Ok(())
    }

    /// The clone whose slot was promised is ready.
    pub fn create(&mut self, new: NewVoice, now: Timestamp) -> String {
        self.promised = self.promised.saturating_sub(1);
        self.created = self.created.saturating_add(1);
        let id = self.new_id();
        let voice = Voice {
            id: id.clone(),
            name: new.name,
            description: new.description,
            labels: new.labels,
            samples: new.samples,
            remove_background_noise: new.remove_background_noise,
            created_at: now,
            number: self.created,
        };
        self.clones.insert(id.clone(), voice);
        id
    }

    /// An id whose tone no other clone has. Among many clones any id: there are too few tones for all.
    fn new_id(&self) -> String {
        let sounds_like_another = |id: &str| {
            let tone = voice_tone_hz(id);
            self.clones.keys().any(|other| voice_tone_hz(other).abs_diff(tone) < DISTINCT_HZ)
        };
        let mut id = ids::voice();
        if self.clones.len() < FEW_CLONES {
            for _ in 0..MOST_DRAWS {
                if !sounds_like_another(&id) {
                    break;
                }
                id = ids::voice();
            }
        }
        id
    }

    /// Frees the slot; false when the id was deleted before.
    pub fn delete(&mut self, id: &str) -> bool {
        if self.is_missing(id) {
            return false;
        }
        self.clones.remove(id);
        if self.deleted_order.len() >= DELETED_KEPT
            && let Some(oldest) = self.deleted_order.pop_front()
        {
            self.deleted.remove(&oldest);
        }
        self.deleted.insert(id.to_owned());
        self.deleted_order.push_back(id.to_owned());
        true
    }

    /// Sets the slots, and the library voices that exist; None: every one.
    pub fn set_account(&mut self, slots: u32, library: Option<HashSet<String>>) {
        self.slots = slots;
        self.library = library;
    }

    /// Whether this id was deleted here, or is no voice of the account. Every other id is taken as existing.
    pub(crate) fn is_missing(&self, id: &str) -> bool {
        let is_known =
            self.clones.contains_key(id) || self.library.as_ref().is_none_or(|all| all.contains(id));
        self.deleted.contains(id) || !is_known
    }

    /// The clone of this id, if it was made here.
    pub fn clone_of(&self, id: &str) -> Option<&Voice> {
        self.clones.get(id)
    }

    /// All clones, in order of creation.
    pub fn all(&self) -> Vec<&Voice> {
        let mut all: Vec<&Voice> = self.clones.values().collect();
        all.sort_by_key(|voice| voice.number);
        all
    }

    /// Slots that are taken.
    pub fn used(&self) -> u32 {
        u32::try_from(self.clones.len()).unwrap_or(u32::MAX)
    }

    /// Slots that there are.
    pub fn slots(&self) -> u32 {
        self.slots
    }

    /// Clones ever made: whether a deletion gives the edit back is not known, so none does here.
    pub fn created(&self) -> u64 {
        self.created
    }
}

impl Voice {
    /// The provider's `VoiceResponseModel`.
    pub fn json(&self) -> Value {
        let samples: Vec<Value> = self.samples.iter().map(|sample| self.sample_json(sample)).collect();
        voice_json(
            &self.id,
            &self.name,
            "cloned",
            &self.labels,
            json!(samples),
            self.description.as_deref(),
            Some(self.created_at),
        )
    }

    fn sample_json(&self, sample: &Sample) -> Value {
        json!({
            "sample_id": sample.id,
            "file_name": sample.file_name,
            "mime_type": sample.mime_type,
            "size_bytes": sample.size,
            "hash": sample.hash,
            "remove_background_noise": self.remove_background_noise,
        })
    }

    /// Whether the provider's search would find it: name, description, labels, category.
    pub(crate) fn found_by(&self, search: &str) -> bool {
        let search = search.to_lowercase();
        let holds = |text: &str| text.to_lowercase().contains(&search);
        holds(&self.name)
            || self.description.as_deref().is_some_and(holds)
            || self.labels.values().any(|value| value.as_str().is_some_and(holds))
            || holds("cloned")
    }
}

/// A voice of the library that nobody cloned here: any id that was not deleted exists.
pub(super) fn library_voice_json(id: &str) -> Value {
    voice_json(id, "Library voice", "premade", &Map::new(), Value::Null, None, None)
}

fn voice_json(
    id: &str,
    name: &str,
    category: &str,
    labels: &Map<String, Value>,
    samples: Value,
    description: Option<&str>,
    created_at: Option<Timestamp>,
) -> Value {
    json!({
        "voice_id": id,
        "name": name,
        "samples": samples,
        "category": category,
        "fine_tuning": null,
        "labels": labels,
        "description": description,
        "preview_url": null,
        "available_for_tiers": [],
        "settings": null,
        "sharing": null,
        "high_quality_base_model_ids": [],
        "verified_languages": [],
        "safety_control": null,
        "voice_verification": {
            "requires_verification": false,
            "is_verified": false,
            "verification_failures": [],
            "verification_attempts_count": 0,
            "language": null,
            "verification_attempts": null,
        },
        "permission_on_resource": "admin",
        "is_owner": category == "cloned",
        "is_legacy": false,
        "is_mixed": false,
        "created_at_unix": created_at.map(Timestamp::as_second),
    })
}
