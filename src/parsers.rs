//! The private parsers of this crate that read bytes from outside, as functions of these bytes alone. The fuzz targets
//! (`fuzz/`) call them; the program itself calls what is behind them.

use std::borrow::Cow;
use std::net::IpAddr;

use precall_actors::api::{IncomingCall, InitiationAsked, PbxNotice};
use precall_base::phone_number::Region;
use precall_call::At;
use precall_providers::elevenlabs::{AudioHead, ConversationReport};
use precall_store::people::caller_import::ImportedCaller;

use crate::cli::caller_rows;
use crate::http::inbound::threecx_wire::{self, Message};
use crate::http::inbound::{jsonb_safe as jsonb, postcall};
use crate::http::webhooks::initiation;
use crate::trusted_addresses::{self, AddressList};

/// A webhook of 3CX.
#[derive(Debug)]
pub enum PbxWebhook {
    /// An incoming call.
    Incoming(IncomingCall),
    /// An event of a call.
    Notice(PbxNotice),
    /// An outbound call, with the PBX's id. precall ignores it.
    Outbound(Option<String>),
}

/// A webhook of ElevenLabs.
#[derive(Debug)]
pub enum ProviderWebhook {
    /// A report of a conversation, and its JSON as it is stored.
    Report(Box<ConversationReport>, String),
    /// A recording, without its audio.
    Recording(AudioHead),
    /// Another type. precall ignores it.
    Other,
}

/// Parses the body of a 3CX webhook.
///
/// # Errors
/// Why it is refused, as its sender is told.
pub fn pbx_webhook(body: &[u8]) -> Result<PbxWebhook, String> {
    let message = threecx_wire::parse(body).map_err(|problem| problem.to_string())?;
    Ok(match message {
        Message::Incoming(call) => PbxWebhook::Incoming(call),
        Message::Notice(notice) => PbxWebhook::Notice(notice),
        Message::Outbound { threecx_call_id } => PbxWebhook::Outbound(threecx_call_id),
    })
}

/// The PBX's time of the event in a 3CX webhook, if it can be read.
#[must_use]
pub fn pbx_webhook_time(body: &[u8]) -> Option<At> {
    threecx_wire::happened_at(body)
}

/// Parses the body of a post-call webhook of ElevenLabs.
///
/// # Errors
/// Why it is refused, as its sender is told.
pub fn provider_webhook(body: &[u8]) -> Result<ProviderWebhook, String> {
    let parsed = postcall::parse_here(body).map_err(|problem| problem.to_string())?;
    Ok(match parsed {
        postcall::ProviderWebhook::Report(report, json) => {
            ProviderWebhook::Report(report, json.get().to_owned())
        }
        postcall::ProviderWebhook::Recording(head) => ProviderWebhook::Recording(head),
        postcall::ProviderWebhook::Other => ProviderWebhook::Other,
    })
}

/// JSON with everything replaced that a `jsonb` column refuses; `None` if it is nested too deeply.
#[must_use]
pub fn jsonb_safe(json: &[u8]) -> Option<Cow<'_, [u8]>> {
    jsonb::jsonb_safe(json).ok()
}

/// Parses the body of the webhook by which ElevenLabs asks for the voice of an inbound conversation.
///
/// # Errors
/// Why it is refused, as its sender is told.
pub fn initiation(body: &[u8]) -> Result<InitiationAsked, String> {
    initiation::parse(body).map_err(|problem| problem.to_string())
}

/// Reads a file of callers (CSV).
///
/// # Errors
/// The errors that are shown, one line each.
pub fn callers(csv: &[u8], region: Region) -> Result<Vec<ImportedCaller>, Vec<String>> {
    let sheet = caller_rows::read(csv, region);
    sheet.map(|sheet| sheet.callers).map_err(|errors| errors.kept.iter().map(ToString::to_string).collect())
}

/// The file of callers (CSV) that `precall callers export` writes.
///
/// # Errors
/// Memory refuses the rows.
pub fn callers_csv(callers: &[ImportedCaller]) -> Result<Vec<u8>, String> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    caller_rows::write_header(&mut writer).map_err(|error| error.to_string())?;
    for caller in callers {
        caller_rows::write(&mut writer, caller).map_err(|error| error.to_string())?;
    }
    writer.into_inner().map_err(|error| error.to_string())
}

/// The client of a request: `peer`, or what its header `X-Forwarded-For` says if the peer is a trusted proxy.
///
/// # Errors
/// The first proxy that is no address and no block.
pub fn forwarded(peer: IpAddr, header: Option<&str>, proxies: &[&str]) -> Result<IpAddr, String> {
    let proxies = AddressList::parse(proxies)?;
    Ok(trusted_addresses::client_address(peer, header, proxies.as_blocks()))
}
