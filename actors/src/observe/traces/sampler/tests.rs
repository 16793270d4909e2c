//! Tests of the samplers.

use precall_call::CallId;
use precall_providers::trace_context::trace_id;
use uuid::Uuid;

use super::Sampler;

#[test]
fn a_ratio_takes_about_that_share_of_real_call_ids() {
    // Real ids: their version and variant bits are the same in each, which a careless sampler would count.
    let ids: Vec<_> = (0..20_000).map(|_| trace_id(CallId(Uuid::now_v7().as_u128()))).collect();
    for (share, least, most) in [(0.1, 1_700, 2_300), (0.5, 9_600, 10_400), (0.9, 17_700, 18_300)] {
        let taken = ids.iter().filter(|id| Sampler::Ratio(share).takes(**id)).count();
        assert!((least..most).contains(&taken), "{share}: {taken} of {}", ids.len());
    }
}

#[test]
fn the_ends_of_the_scale_take_all_and_nothing() {
    for number in [0, 1, u128::MAX] {
        let id = trace_id(CallId(number));
        assert!(Sampler::All.takes(id) && Sampler::Ratio(1.0).takes(id), "{id}");
        assert!(!Sampler::None.takes(id), "{id}");
    }
    assert!(!Sampler::Ratio(0.0).takes(trace_id(CallId(7))));
}

#[test]
fn a_larger_share_takes_what_a_smaller_one_takes() {
    for _ in 0..1_000 {
        let id = trace_id(CallId(Uuid::now_v7().as_u128()));
        assert!(!Sampler::Ratio(0.2).takes(id) || Sampler::Ratio(0.6).takes(id), "{id}");
    }
}
