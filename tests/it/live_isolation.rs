//! A panic in the player of one leg: that call may lose its greeting, other calls are not affected.

use precall_actors::runtime::fault_injection::{Faults, Point};
use uuid::Uuid;

use crate::support::{PbxPlan, PbxWorld};

#[actix::test]
async fn a_panic_of_a_leg_player_costs_at_most_the_greeting_of_its_own_call() {
    let faults = Faults::injectable();
    let mut plan = PbxPlan::default();
    plan.world.faults = faults.clone();
    let world = PbxWorld::with(plan.holding()).await;
    let mut neighbours = Vec::new();
    for n in 10..15 {
        let pbx_id = world.rings(&world.mapped_caller(n).await);
        neighbours.push((world.call_of(&pbx_id).await, pbx_id));
    }
    for (call, _) in &neighbours {
        world.in_state(*call, "holding").await;
    }
    let mut victims = Vec::new();
    for (n, point) in [(1, Point::PlayerStarts), (2, Point::PlayerHears)] {
        faults.arm(point, None, 1);
        let pbx_id = world.rings(&world.known_caller(n).await);
        let call = world.call_of(&pbx_id).await;
        world
            .until("the point is reached", || async { faults.met().iter().any(|(met, ..)| *met == point) })
            .await;
        let (_, hit, _) = faults.met().into_iter().find(|(met, ..)| *met == point).unwrap();
        assert_eq!(Uuid::from_u128(hit.0), call);
        victims.push((call, pbx_id));
    }
    for (call, _) in victims.iter().chain(&neighbours) {
        world.in_state(*call, "holding").await;
        world.operator_hands_over(*call).await;
    }
    for (call, pbx_id) in victims.iter().chain(&neighbours) {
        let row = world.completed(*call).await;
        assert_eq!(row.get::<_, String>("cause"), "completed");
        let heard = world.heard(pbx_id);
        // The notice comes before any agent, even if the greeting was lost.
        assert!(heard.contains(&world.notice().await));
        assert!(heard.count(&world.greeting.start(100)) <= 1);
        let panics = world.events(*call).await.into_iter().filter(|kind| kind == "panicked").count();
        assert_eq!(panics, usize::from(victims.iter().any(|(victim, _)| victim == call)));
    }
    for (_, pbx_id) in &neighbours {
        assert_eq!(world.report(pbx_id).posts_opened, 1);
        assert_eq!(world.heard(pbx_id).count(&world.greeting), 1);
    }
    world.stop_after_cuts().await;
}
