//! What the queue keeps, sheds and sends again.

use super::*;
use Class::{Bulk, Priority};

/// One event, that counts as `if_lost`.
fn load(class: Class, if_lost: u64) -> Load {
    Load::new(class, 1, if_lost)
}

/// So many events of each class, of messages of one event.
fn lost(priority_events: u64, bulk_events: u64, messages: u64) -> Lost {
    Lost { priority_events, bulk_events, new_events: messages, messages }
}

fn queue(messages: &[(Class, &str)]) -> Queue {
    let mut queue = Queue::new(3, 4);
    for (class, text) in messages {
        queue.push(load(*class, 10), text.as_bytes()).unwrap();
    }
    queue
}

fn contents(queue: &mut Queue) -> Vec<String> {
    let mut texts = Vec::new();
    while let Some(head) = queue.head() {
        texts.push(String::from_utf8(head.payload.to_vec()).unwrap());
        queue.sent(None);
    }
    texts
}

#[test]
fn order_is_kept_within_a_class() {
    let mut queue = queue(&[(Bulk, "a"), (Priority, "b")]);
    queue.push(load(Bulk, 1), b"cde").unwrap();
    assert_eq!(queue.push(load(Bulk, 1), b"12345"), Err(TooLong));
    // What cannot wait goes first.
    assert_eq!(contents(&mut queue), ["b", "a", "cde"]);
    assert_eq!(queue.take_shed(), Lost::default());
}

#[test]
fn order_is_kept_within_a_class_that_is_sent_again() {
    let mut queue = queue(&[(Bulk, "a")]);
    queue.sent(Some(100));
    queue.push(load(Priority, 1), b"b").unwrap();
    queue.rewind(|_| false);
    queue.push(load(Priority, 1), b"c").unwrap();
    assert_eq!(contents(&mut queue), ["a", "b", "c"]);
}

#[test]
fn the_oldest_bulk_message_goes_first() {
    let mut queue =
        queue(&[(Priority, "a"), (Bulk, "b"), (Bulk, "c"), (Bulk, "d"), (Priority, "e")]);
    let shed = queue.take_shed();
    assert_eq!(shed, lost(0, 20, 2));
    assert_eq!(contents(&mut queue), ["a", "e", "d"]);
}

#[test]
fn priority_goes_only_for_priority() {
    let mut queue =
        queue(&[(Priority, "a"), (Priority, "b"), (Priority, "c"), (Bulk, "d"), (Priority, "e")]);
    let shed = queue.take_shed();
    assert_eq!(shed, lost(10, 10, 2));
    assert_eq!(contents(&mut queue), ["b", "c", "e"]);
}

#[test]
fn a_message_on_the_wire_stays() {
    let mut queue = queue(&[(Bulk, "aa")]);
    queue.begin();
    for text in [b"b", b"c", b"d"] {
        queue.push(load(Priority, 1), text).unwrap();
    }
    queue.push(load(Bulk, 1), b"e").unwrap();
    assert_eq!(queue.head().unwrap().payload, b"aa");
    assert_eq!(contents(&mut queue), ["aa", "c", "d"]);

    let mut queue = Queue::new(1, 4);
    queue.push(load(Bulk, 1), b"aa").unwrap();
    queue.begin();
    queue.push(load(Priority, 7), b"b").unwrap();
    assert_eq!(queue.take_shed().priority_events, 7);
    assert_eq!(contents(&mut queue), ["aa"]);
}

#[test]
fn unconfirmed_messages_are_sent_again_and_counted_once() {
    let mut queue = queue(&[(Bulk, "a"), (Bulk, "b"), (Bulk, "c")]);
    assert_eq!(queue.sent(Some(100)), Some(1));
    assert_eq!(queue.sent(Some(100)), Some(1));
    assert_eq!(queue.backlog(), 1);
    queue.confirm(100);
    queue.rewind(|_| false);
    assert_eq!(queue.backlog(), 2);
    assert_eq!(queue.sent(None), None);
    assert_eq!(contents(&mut queue), ["c"]);
    assert_eq!(queue.free.len(), 3);
}

#[test]
fn confirm_keeps_what_may_be_unread_in_part() {
    for (unread_bytes, kept) in [(0, 0), (1, 1), (100, 1), (101, 2), (201, 3), (900, 3)] {
        let mut queue = queue(&[(Bulk, "a"), (Bulk, "b"), (Bulk, "c")]);
        for _ in 0..3 {
            queue.sent(Some(100));
        }
        queue.confirm(unread_bytes);
        assert_eq!(queue.unconfirmed, kept, "{unread_bytes}");
    }
}

/// Three messages sent, and three that took their slots.
fn overrun() -> Queue {
    let mut queue = queue(&[(Priority, "a"), (Bulk, "b"), (Bulk, "c")]);
    for _ in 0..3 {
        queue.sent(Some(100));
    }
    for text in ["d", "e", "f"] {
        queue.push(load(Bulk, 10), text.as_bytes()).unwrap();
    }
    assert_eq!(queue.take_shed(), Lost::default());
    queue
}

#[test]
fn what_gave_up_its_place_is_counted_unless_it_was_read() {
    for (unread_bytes, priority_events, bulk_events) in
        [(0, 0, 0), (1, 0, 10), (100, 0, 10), (101, 0, 20), (201, 10, 20), (900, 10, 20)]
    {
        let mut queue = overrun();
        queue.confirm(unread_bytes);
        assert_eq!(queue.take_shed(), Lost::default());
        queue.rewind(|_| false);
        let messages = (priority_events + bulk_events) / 10;
        let shed = lost(priority_events, bulk_events, messages);
        assert_eq!(queue.take_shed(), shed, "{unread_bytes}");
        queue.rewind(|_| false);
        assert_eq!(queue.take_shed(), Lost::default(), "counted once");
        assert_eq!(contents(&mut queue), ["d", "e", "f"]);
        assert_eq!(queue.free.len(), 3);
    }
}

#[test]
fn younger_messages_prove_older_ones_read() {
    let mut queue = overrun();
    queue.sent(Some(100));
    queue.confirm(100);
    queue.rewind(|_| false);
    assert_eq!(queue.take_shed(), Lost::default());
    assert_eq!(contents(&mut queue), ["d", "e", "f"]);
}

/// Accounts are as many as slots; the oldest ones are then known together.
#[test]
fn more_than_all_accounts_are_joined() {
    let after = |unread_bytes| {
        let mut queue = overrun();
        for text in ["g", "h"] {
            queue.sent(Some(100));
            queue.push(load(Bulk, 10), text.as_bytes()).unwrap();
        }
        assert_eq!(queue.order.len(), 6);
        assert_eq!(queue.order.capacity(), 6);
        queue.confirm(unread_bytes);
        queue.rewind(|_| false);
        assert_eq!(contents(&mut queue), ["f", "g", "h"]);
        queue.take_shed()
    };
    assert_eq!(after(201), lost(10, 40, 5));
    assert_eq!(after(200), lost(0, 20, 2));
    assert_eq!(after(0), Lost::default());
}

#[test]
fn a_refused_head_makes_way() {
    let mut queue = queue(&[(Priority, "a"), (Bulk, "b")]);
    assert!(queue.count(Count::Refused));
    queue.refuse();
    assert_eq!(contents(&mut queue), ["b"]);
    queue.refuse();
    assert!(!queue.count(Count::Refused), "there is none");
}

/// A message that ends there in the spool.
fn spooled(class: Class, end: u64) -> Load {
    Load { spooled: Some(end), ..load(class, 10) }
}

#[test]
fn what_is_in_the_spool_gives_its_place_to_nobody() {
    let mut queue = Queue::new(3, 4);
    for (load, text) in [(spooled(Bulk, 1), b"a"), (load(Bulk, 10), b"b"), (spooled(Bulk, 2), b"c")]
    {
        queue.push(load, text).unwrap();
    }
    queue.push(load(Priority, 1), b"d").unwrap();
    assert_eq!(queue.take_shed(), lost(0, 10, 1));
    queue.push(load(Bulk, 7), b"e").unwrap();
    assert_eq!(queue.take_shed().bulk_events, 7);
    assert_eq!(queue.unkept(|load| load.spooled.is_some()), 1);
    assert_eq!(contents(&mut queue), ["d", "a", "c"]);
    assert_eq!(queue.take_delivered(), [None, Some(Delivered { end: 2, messages: 2 })]);
    assert_eq!(queue.take_delivered(), [None, None]);
}

#[test]
fn what_the_spool_keeps_is_left_to_it() {
    let mut queue = Queue::new(3, 4);
    for (load, text) in
        [(spooled(Priority, 9), b"a"), (load(Bulk, 10), b"b"), (spooled(Bulk, 5), b"c")]
    {
        queue.push(load, text).unwrap();
    }
    queue.sent(Some(100));
    queue.rewind(|load| load.spooled.is_some_and(|end| end > 5));
    assert_eq!(queue.take_delivered(), [None, None], "it is not known to be read");
    assert_eq!(queue.take_shed(), Lost::default());
    assert_eq!(contents(&mut queue), ["b", "c"]);
    assert_eq!(queue.free.len(), 3);
}

#[test]
fn a_window_leaves_room_for_what_cannot_wait() {
    let mut queue = Queue::new(4, 4);
    for end in 1..=2 {
        assert!(queue.has_window(Bulk));
        queue.push(spooled(Bulk, end), b"x").unwrap();
    }
    assert!(!queue.has_window(Bulk));
    assert!(queue.has_window(Priority));
    queue.push(spooled(Priority, 1), b"x").unwrap();
    queue.push(spooled(Priority, 2), b"x").unwrap();
    assert!(!queue.has_window(Priority));
}

/// What `limits` says of as many messages as there are slots.
#[test]
fn an_account_has_the_size_that_the_limits_say() {
    assert_eq!(crate::limits::QUEUE_MESSAGES * size_of::<Message>(), 12 << 10);
}

#[test]
fn what_is_refused_does_not_deliver_what_is_before_it() {
    let mut queue = Queue::new(4, 4);
    for end in [10, 20, 30] {
        queue.push(Load { spooled: Some(end), ..load(Bulk, 5) }, b"a").unwrap();
    }
    assert_eq!(queue.sent(Some(100)), Some(1));
    assert!(queue.count(Count::Refused));
    queue.refuse();
    assert_eq!(queue.take_delivered(), [None; 2], "the first is perhaps not read");
    queue.confirm(100);
    assert_eq!(queue.take_delivered(), [None; 2]);
    queue.confirm(0);
    assert_eq!(queue.take_delivered(), [None, Some(Delivered { end: 20, messages: 2 })]);
    assert!(queue.count(Count::Refused));
    queue.refuse();
    assert_eq!(queue.take_delivered(), [None, Some(Delivered { end: 30, messages: 1 })]);
    assert_eq!(queue.backlog(), 0);
}

/// The account of one that the spool keeps is not the place for one that it does not.
#[test]
fn an_account_is_joined_with_one_of_its_kind_alone() {
    let mut queue = Queue::new(1, 4);
    for (load, text) in [(load(Bulk, 10), b"a"), (spooled(Bulk, 10), b"b")] {
        queue.push(load, text).unwrap();
        queue.sent(Some(100));
    }
    queue.push(spooled(Bulk, 20), b"c").unwrap();
    queue.rewind(|load| load.spooled.is_some());
    assert_eq!(queue.take_shed(), lost(0, 10, 1));
    assert_eq!(contents(&mut queue), Vec::<String>::new());
    // Of another class: it would never be known as delivered.
    for (class, end) in [(Priority, 10), (Bulk, 10), (Bulk, 20), (Priority, 20)] {
        queue.push(spooled(class, end), b"x").unwrap();
        queue.sent(Some(100));
    }
    queue.confirm(0);
    let ends = queue.take_delivered().map(|delivered| delivered.map(|delivered| delivered.end));
    assert_eq!(ends, [Some(20), Some(20)]);
}

#[test]
fn what_is_counted_stays_so_when_the_spool_is_gone() {
    let mut queue = Queue::new(3, 4);
    queue.push(spooled(Bulk, 10), b"a").unwrap();
    assert_eq!(queue.sent(Some(100)), Some(1));
    queue.rewind(|_| true);
    queue.push(spooled(Bulk, 10), b"a").unwrap();
    queue.forget_places();
    assert_eq!(queue.sent(Some(100)), None);
    // It was sent, and is refused now.
    queue.rewind(|_| false);
    assert!(queue.count(Count::Refused) && !queue.count(Count::Refused));
}

/// Whatever is offered, sent, read and cut off: each message is read, in the order of its class, or counted
/// with all that nobody learns of without it.
#[test]
fn what_is_not_read_is_counted() {
    let mut rng = fastrand::Rng::with_seed(6);
    let mut exactly = 0;
    for _ in 0..400 {
        let slots = rng.usize(1..12);
        let mut queue = Queue::new(slots, 4);
        let mut exact = true;
        let mut offered = Vec::new();
        // By number: on the wire, and read.
        let (mut flying, mut read) = (Vec::new(), Vec::new());
        for _ in 0..60 {
            match rng.u8(..6) {
                0..=2 => {
                    let class = Class::ALL[rng.usize(..2)];
                    let (number, if_lost) = (offered.len() as u32, rng.u64(1..9));
                    queue.push(load(class, if_lost), &number.to_ne_bytes()).unwrap();
                    offered.push((class, if_lost));
                }
                3 => {
                    if let Some(head) = queue.head() {
                        flying.push(u32::from_ne_bytes(head.payload.try_into().unwrap()));
                        queue.sent(Some(100));
                        // Then accounts are joined, and read or not together.
                        exact &= flying.len() <= slots;
                    }
                }
                4 => {
                    read.extend(flying.drain(..rng.usize(..=flying.len())));
                    queue.confirm(100 * flying.len() as u64);
                }
                _ => {
                    flying.clear();
                    queue.rewind(|_| false);
                }
            }
        }
        flying.clear();
        queue.rewind(|_| false);
        while let Some(head) = queue.head() {
            read.push(u32::from_ne_bytes(head.payload.try_into().unwrap()));
            queue.sent(None);
        }
        let mut expected = Lost::default();
        for (number, (class, if_lost)) in offered.iter().enumerate() {
            let times = read.iter().filter(|read| **read == number as u32).count();
            assert!(times <= 1, "what was confirmed is not sent again");
            if times == 0 {
                expected.add(Lost::message(*class, 1, *if_lost));
            }
        }
        let shed = queue.take_shed();
        assert!(shed.events() >= expected.events() && shed.messages >= expected.messages);
        assert!(!exact || shed == expected, "{shed:?}, {expected:?}");
        exactly += u32::from(exact);
        for class in Class::ALL {
            let of_class = read.iter().filter(|number| offered[**number as usize].0 == class);
            assert!(of_class.is_sorted(), "{read:?}");
        }
    }
    assert!(exactly > 100, "{exactly}");
}
