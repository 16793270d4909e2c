//! Reads the provider's paged lists.

use std::time::Duration;

use awc::http::Method;
use serde::de::DeserializeOwned;
use url::Url;

use super::client::{ApiRequest, ElevenLabs, RequestBody};
use super::error::ProviderError;
use crate::request_watch::Endpoint;

/// Largest body of one page: a hundred voices with all their fields.
const PAGE_BYTES_MAX: usize = 4 * 1024 * 1024;
/// The query parameter `page_size`: the provider gives at most a hundred items a page.
pub(super) const PAGE_SIZE: &str = "100";

/// One page of a list.
pub(super) trait Page: DeserializeOwned {
    /// An entry of the list.
    type Item;
    /// The query parameter that asks for the next page.
    const NEXT_PARAMETER: &'static str;

    /// The items, whether more follow, and the value of [`Self::NEXT_PARAMETER`] for them.
    fn into_parts(self) -> (Vec<Self::Item>, bool, Option<String>);
}

/// The items of all pages that were read.
pub(super) struct Pages<T> {
    pub items: Vec<T>,
    /// False if the provider has more items; then a missing item may still exist.
    pub complete: bool,
}

impl ElevenLabs {
    /// Reads a list, at most `pages_max` pages, under one deadline. `list` includes the page size.
    pub(super) async fn read_pages<P: Page>(
        &self,
        endpoint: Endpoint,
        list: Url,
        pages_max: usize,
        within: Duration,
    ) -> Result<Pages<P::Item>, ProviderError> {
        let deadline = tokio::time::Instant::now() + within;
        let mut pages = Pages { items: Vec::new(), complete: false };
        let mut next: Option<String> = None;
        for _ in 0..pages_max {
            let mut url = list.clone();
            if let Some(next) = &next {
                url.query_pairs_mut().append_pair(P::NEXT_PARAMETER, next);
            }
            let request = ApiRequest {
                endpoint,
                method: Method::GET,
                url,
                body: RequestBody::Empty,
                answer_bytes_max: PAGE_BYTES_MAX,
                within: deadline.saturating_duration_since(tokio::time::Instant::now()),
            };
            let (items, has_more, token) = self.send(request).await?.json::<P>()?.into_parts();
            pages.items.extend(items);
            next = token.filter(|_| has_more);
            if next.is_none() {
                pages.complete = !has_more;
                break;
            }
        }
        Ok(pages)
    }
}
