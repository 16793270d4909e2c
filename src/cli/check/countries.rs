//! Which countries precall calls back, and how it reads national numbers.

use precall_call::Route;

use super::finding::Judgement;
use super::world::World;
use crate::config::Callback;

pub(super) fn look(world: &World<'_>) -> Vec<Judgement> {
    judge(&world.config.callback, world.config.call.route)
}

fn judge(callback: &Callback, route: Route) -> Vec<Judgement> {
    let mut judgements = Vec::new();
    if callback.default_region.is_none() {
        judgements.push(Judgement::Note(
            "DEFAULT_REGION is not set: precall cannot read numbers without + and country code. Set it to the \
             country of the PBX"
                .to_owned(),
        ));
    }
    if route == Route::Callback && callback.countries.is_empty() {
        judgements.push(Judgement::Note(match callback.default_region {
            Some(region) => format!(
                "CALLBACK_COUNTRIES is not set: precall calls back numbers of one country only. Set it, for example \
                 to {region}"
            ),
            None => "no country is set that precall may call back: set CALLBACK_COUNTRIES".to_owned(),
        }));
    }
    if judgements.is_empty() {
        judgements.push(Judgement::Good("the countries are set".to_owned()));
    }
    judgements
}
