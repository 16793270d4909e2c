//! Readers stop before what an import may still write.

use super::Positions;

fn readable(positions: &Positions) -> i64 {
    *positions.readable().borrow()
}

#[test]
fn readers_do_not_pass_an_import() {
    let positions = Positions::default();
    positions.advance(7);
    positions.import_behind(9);
    positions.advance(12);
    assert_eq!((readable(&positions), positions.written()), (9, 12));
    positions.advance(11);
    assert_eq!(readable(&positions), 9, "the transaction is over, the next one may follow");
    positions.import_behind(13);
    assert_eq!(readable(&positions), 12);
    positions.advance(15);
    positions.import_ended();
    assert_eq!(readable(&positions), 15);
}

#[test]
fn the_last_readable_position_does_not_go_back() {
    let positions = Positions::default();
    positions.advance(20);
    positions.import_behind(18);
    assert_eq!(readable(&positions), 20);
    positions.advance(19);
    assert_eq!(positions.written(), 20);
}
