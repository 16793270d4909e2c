//! Tests of agent seats.

use super::*;

const NOT_LONG: Duration = Duration::from_millis(1);

#[actix::test]
async fn a_call_has_one_seat_and_the_next_waits_for_it() {
    let seats = AgentSeats::new(Some(1));
    assert!(seats.take(CallId(1), NOT_LONG).await);
    assert!(seats.take(CallId(1), NOT_LONG).await, "the call has a seat");
    assert!(!seats.take(CallId(2), NOT_LONG).await);
    let (second, ()) = tokio::join!(seats.take(CallId(2), SEAT_WITHIN), async { seats.release(CallId(1)) });
    assert!(second, "freed while it waited");
    seats.hold(CallId(3));
    assert_eq!(seats.held(), 2, "a held seat may exceed the limit");
    seats.release(CallId(2));
    assert!(!seats.take(CallId(4), NOT_LONG).await);
}

#[actix::test]
async fn without_a_limit_seats_are_still_counted() {
    let seats = AgentSeats::new(None);
    for call in 0..100 {
        assert!(seats.take(CallId(call), NOT_LONG).await);
    }
    assert_eq!(seats.held(), 100);
}
