//! What is in the spool is there again, whatever happened to the sensor, the disk or the receiver.

mod damage;

use super::open::RESENT;
use super::position::POSITION_BYTES;
use super::*;
use Class::{Bulk, Priority};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::fs::{self, File};
use std::os::unix::fs::FileExt;

/// The least room, of files of the least size.
const MIB: u64 = 1 << 20;

struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Place {
        Place(tempfile::tempdir().unwrap())
    }

    fn open(&self) -> Spool {
        let options = SpoolOptions { dir: self.0.path().to_owned(), bytes: MIB };
        Spool::new(&options, "unix:/dev/log", Instant::now())
    }

    fn dir(&self) -> PathBuf {
        self.0.path().join("unix:_dev_log")
    }

    /// Files of messages, in their order.
    fn files(&self, class: Class) -> Vec<PathBuf> {
        let names = fs::read_dir(self.dir()).unwrap().map(|entry| entry.unwrap().path());
        let is_of = |path: &PathBuf| {
            let name = path.file_name().unwrap().to_str().unwrap();
            name.starts_with(class.name()) && !name.ends_with(".bad")
        };
        let mut files: Vec<_> = names.filter(is_of).collect();
        files.sort();
        files
    }

    fn set_aside(&self) -> usize {
        let names = fs::read_dir(self.dir()).unwrap().map(|entry| entry.unwrap().path());
        names.filter(|path| path.extension().is_some_and(|end| end == "bad")).count()
    }
}

/// Messages in a file.
const PER_FILE: u64 = 16;

/// A message of 10 events, 4 KiB long.
fn payload(number: u64) -> Vec<u8> {
    let mut text = format!("m1:{number:08}").into_bytes();
    text.resize(4 << 10, b'x');
    text
}

fn append(spool: &mut Spool, class: Class, number: u64) -> Kept {
    let mut load = Load::new(class, 10, 11);
    spool.append(&mut load, &payload(number))
}

fn append_all(spool: &mut Spool, class: Class, numbers: core::ops::Range<u64>) {
    for number in numbers {
        assert!(matches!(append(spool, class, number), Kept::Spooled { .. }), "{number}");
    }
}

/// Takes out all: their numbers.
fn take(spool: &mut Spool, class: Class) -> Vec<u64> {
    let mut numbers = Vec::new();
    while let Some((load, payload)) = spool.next(class) {
        assert_eq!((load.if_lost, load.class), (Lost::message(class, 10, 11), class));
        numbers.push(core::str::from_utf8(&payload[3..11]).unwrap().parse().unwrap());
    }
    numbers
}

/// Where the last message ends that was taken out.
fn take_to(spool: &mut Spool, class: Class, count: usize) -> u64 {
    (0..count).map(|_| spool.next(class).unwrap().0.spooled.unwrap()).last().unwrap()
}

fn ends(class: Class, end: u64) -> [Option<Delivered>; 2] {
    let mut ends = [None; 2];
    ends[class as usize] = Some(Delivered { end, messages: 1 });
    ends
}

#[test]
fn what_was_not_delivered_is_there_at_the_next_start() {
    let place = Place::new();
    let mut spool = place.open();
    append_all(&mut spool, Bulk, 0..40);
    append_all(&mut spool, Priority, 100..110);
    let end = take_to(&mut spool, Bulk, 25);
    spool.delivered(ends(Bulk, end), Instant::now());
    assert_eq!(take(&mut spool, Priority), (100..110).collect::<Vec<_>>());
    // As a process that is killed.
    drop(spool);
    let mut spool = place.open();
    assert_eq!(spool.error(), None);
    append_all(&mut spool, Bulk, 40..45);
    let (load, _) = spool.next(Bulk).unwrap();
    assert_eq!(load.events, 0, "an earlier run has counted them");
    assert_eq!(take(&mut spool, Bulk), (26..45).collect::<Vec<_>>());
    assert_eq!(take(&mut spool, Priority), (100..110).collect::<Vec<_>>());
    assert_eq!(spool.take_lost(), Lost::default());
    assert_eq!(spool.damage(), Damage::default());
}

/// Limits are of the whole process: a test of this name has one of its own. Whether this is it.
fn is_alone(name: &str) -> bool {
    if std::env::var_os("MOTE_TEST_ALONE").is_some() {
        return true;
    }
    let mut command = std::process::Command::new(std::env::current_exe().unwrap());
    let name = format!("sink::spool::tests::{name}");
    let output = command.args(["--exact", &name]).env("MOTE_TEST_ALONE", "yes").output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
    false
}

#[test]
fn files_that_may_not_grow_are_more() {
    if !is_alone("files_that_may_not_grow_are_more") {
        return;
    }
    let flag = std::sync::Arc::<std::sync::atomic::AtomicBool>::default();
    signal_hook::flag::register(signal_hook::consts::SIGXFSZ, flag).unwrap();
    let place = Place::new();
    let mut spool = place.open();
    // As large as four messages, and not five.
    let limit = getrlimit(Resource::Fsize);
    setrlimit(Resource::Fsize, Rlimit { current: Some(20 << 10), ..limit }).unwrap();
    append_all(&mut spool, Bulk, 0..10);
    assert_eq!(spool.error(), None);
    assert_eq!(place.files(Bulk).len(), 3);
    // No message at all.
    setrlimit(Resource::Fsize, Rlimit { current: Some(4 << 10), ..limit }).unwrap();
    assert!(matches!(append(&mut spool, Bulk, 10), Kept::No));
    assert_eq!(spool.error(), Some(&SpoolError::Write(Errno::FBIG)));
    setrlimit(Resource::Fsize, limit).unwrap();
    append_all(&mut spool, Bulk, 10..12);
    assert_eq!(take(&mut spool, Bulk), (0..12).collect::<Vec<_>>());
    assert_eq!(spool.damage(), Damage::default());
}

/// What is in a file is not thrown away uncounted because it cannot be opened now.
#[test]
fn without_descriptors_nothing_is_removed() {
    if !is_alone("without_descriptors_nothing_is_removed") {
        return;
    }
    let place = Place::new();
    let mut spool = place.open();
    // All room is taken, and a file begun: what follows needs no other for a while.
    append_all(&mut spool, Bulk, 0..320);
    let last = place.files(Bulk).pop();
    let begins = (320..320 + PER_FILE).find(|number| {
        append_all(&mut spool, Bulk, *number..*number + 1);
        place.files(Bulk).pop() != last
    });
    let next = begins.unwrap() + 1;
    let removed = spool.take_lost().messages;
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: Some(0), ..limit }).unwrap();
    let is_lost = |number: &u64| matches!(append(&mut spool, Bulk, *number), Kept::Lost);
    let lost = (next..next + PER_FILE).find(is_lost).unwrap();
    assert_eq!(spool.take_lost(), Lost::message(Bulk, 10, 11), "the new one, and no file");
    setrlimit(Resource::Nofile, limit).unwrap();
    append_all(&mut spool, Bulk, lost + 1..lost + 2);
    assert_eq!(spool.take_lost().messages, PER_FILE);
    let expected: Vec<u64> = (removed + PER_FILE..lost + 2).filter(|n| *n != lost).collect();
    assert_eq!(take(&mut spool, Bulk), expected);
}

#[test]
fn what_a_receiver_had_just_taken_is_taken_out_again() {
    let place = Place::new();
    let mut spool = place.open();
    let start = Instant::now();
    append_all(&mut spool, Bulk, 0..30);
    let first = take_to(&mut spool, Bulk, 10);
    spool.delivered(ends(Bulk, first), start);
    let second = take_to(&mut spool, Bulk, 10);
    spool.delivered(ends(Bulk, second), start + RESENT);
    spool.rewind(start + RESENT);
    assert_eq!(take(&mut spool, Bulk), (0..30).collect::<Vec<_>>());
    spool.rewind(start + RESENT + Duration::from_millis(1));
    assert_eq!(take(&mut spool, Bulk), (10..30).collect::<Vec<_>>());
    spool.rewind(start + 3 * RESENT);
    assert_eq!(take(&mut spool, Bulk), (20..30).collect::<Vec<_>>());
}

#[test]
fn files_are_removed_when_they_are_delivered() {
    let place = Place::new();
    let mut spool = place.open();
    append_all(&mut spool, Bulk, 0..100);
    assert!(place.files(Bulk).len() > 5);
    let end = take_to(&mut spool, Bulk, 100);
    spool.delivered(ends(Bulk, end), Instant::now());
    assert!(place.files(Bulk).len() > 5, "a receiver that ends now gets them again");
    let later = Instant::now() + 2 * RESENT;
    append_all(&mut spool, Bulk, 100..101);
    let end = take_to(&mut spool, Bulk, 1);
    spool.delivered(ends(Bulk, end), later);
    append_all(&mut spool, Bulk, 101..102);
    let end = take_to(&mut spool, Bulk, 1);
    spool.delivered(ends(Bulk, end), later + 2 * RESENT);
    assert_eq!(place.files(Bulk).len(), 1);
    assert_eq!(spool.kept_bytes(), 0);
}

#[test]
fn a_full_spool_loses_the_oldest_bulk_messages_and_counts_them() {
    let place = Place::new();
    let mut spool = place.open();
    append_all(&mut spool, Priority, 0..20);
    append_all(&mut spool, Bulk, 0..600);
    let on_disk: u64 = fs::read_dir(place.dir())
        .unwrap()
        .map(|entry| entry.unwrap().metadata().unwrap().len())
        .sum();
    assert!(on_disk <= MIB + POSITION_BYTES as u64, "{on_disk}");
    let lost = spool.take_lost();
    let left = take(&mut spool, Bulk);
    assert_eq!((lost.bulk_events, lost.priority_events), (11 * lost.messages, 0));
    assert_eq!(lost.new_events, 10 * lost.messages);
    assert_eq!(left, (lost.messages..600).collect::<Vec<_>>());
    assert_eq!(take(&mut spool, Priority), (0..20).collect::<Vec<_>>());
    // Priority takes the room of bulk, to the last file, and then of itself.
    append_all(&mut spool, Priority, 20..600);
    assert_eq!(place.files(Bulk), Vec::<PathBuf>::new());
    let lost = spool.take_lost();
    assert_eq!(lost.bulk_events, 0, "they are in memory");
    // Of the room that a file has left bulk may have some, and no more.
    let kept = (0..50).take_while(|n| !matches!(append(&mut spool, Bulk, *n), Kept::Lost)).count();
    assert!(kept <= PER_FILE as usize, "{kept}");
    assert_eq!(spool.take_lost(), Lost::message(Bulk, 10, 11));
    let left = take(&mut spool, Priority);
    assert_eq!(left, (600 - left.len() as u64..600).collect::<Vec<_>>());
    assert_eq!(lost.priority_events, 11 * (580 - left.len() as u64));
}

#[test]
fn a_directory_that_cannot_be_used_is_told_and_tried_again() {
    let place = Place::new();
    fs::write(place.dir(), "a file").unwrap();
    let mut spool = place.open();
    let error = spool.error().unwrap();
    assert!(matches!(error, SpoolError::Directory(_)), "{error}");
    assert!(matches!(append(&mut spool, Bulk, 0), Kept::No));
    fs::remove_file(place.dir()).unwrap();
    spool.tick(Instant::now());
    assert!(spool.error().is_some(), "not at once");
    spool.tick(Instant::now() + RETRY);
    assert_eq!(spool.error(), None);
    append_all(&mut spool, Bulk, 0..1);
    // Somebody removes it meanwhile: there is another one after a while.
    fs::remove_dir_all(place.dir()).unwrap();
    append_all(&mut spool, Bulk, 1..PER_FILE);
    assert!(matches!(append(&mut spool, Bulk, PER_FILE), Kept::No));
    spool.tick(Instant::now() + 2 * RETRY);
    append_all(&mut spool, Bulk, 18..19);
    assert_eq!(take(&mut spool, Bulk), [18]);
}

#[test]
fn what_waits_for_a_receiver_that_is_none_now_is_found() {
    let place = Place::new();
    let options = SpoolOptions { dir: place.0.path().to_owned(), bytes: MIB };
    let others = |target: &str| {
        let target: crate::sink::Target = target.parse().unwrap();
        spooled_for_others(&options, &[target.into()])
    };
    let mut spool = place.open();
    assert_eq!(others("stdout"), Vec::<PathBuf>::new());
    append_all(&mut spool, Bulk, 0..3);
    assert_eq!(others("stdout"), [place.dir()]);
    assert_eq!(others("unix:/dev/log"), Vec::<PathBuf>::new());
    let end = take_to(&mut spool, Bulk, 3);
    spool.delivered(ends(Bulk, end), Instant::now());
    assert_eq!(others("stdout"), Vec::<PathBuf>::new(), "it is delivered");
}

/// `mote decode` reads the files as they are.
#[test]
fn files_are_text() {
    let place = Place::new();
    let mut spool = place.open();
    append_all(&mut spool, Priority, 5..6);
    let text = fs::read_to_string(&place.files(Priority)[0]).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!((lines[0], lines.len()), ("mote-spool 1", 2));
    let payload = crate::record::find(lines[1].as_bytes()).unwrap();
    assert_eq!(payload, self::payload(5));
}

/// The last file of each class is larger than all may be now.
#[test]
fn a_lower_limit_holds_at_the_next_start() {
    let place = Place::new();
    for delivered in [true, false] {
        let options = SpoolOptions { dir: place.0.path().to_owned(), bytes: 128 * MIB };
        let mut spool = Spool::new(&options, "unix:/dev/log", Instant::now());
        append_all(&mut spool, Bulk, 0..400);
        append_all(&mut spool, Priority, 0..400);
        if delivered {
            for class in Class::ALL {
                let end = take_to(&mut spool, class, 400);
                spool.delivered(ends(class, end), Instant::now());
            }
        }
        drop(spool);
        let mut spool = place.open();
        append_all(&mut spool, Priority, 400..401);
        append_all(&mut spool, Bulk, 400..401);
        let lost = spool.take_lost();
        assert_eq!((lost == Lost::default()), delivered, "{lost:?}");
        assert_eq!(take(&mut spool, Priority).last(), Some(&400));
        fs::remove_dir_all(place.dir()).unwrap();
    }
}

#[test]
fn two_receivers_have_two_directories() {
    let dirs = ["unix:/run/a/b", "unix:/run/a_b", "unix:/run/a%5fb"].map(directory);
    assert_eq!(dirs, ["unix:_run_a_b", "unix:_run_a%5fb", "unix:_run_a%255fb"]);
}

/// A receiver that was sent much at once before it ended gets some of that again.
#[test]
fn the_last_messages_are_taken_out_again_however_fast_they_went() {
    let place = Place::new();
    let options = SpoolOptions { dir: place.0.path().to_owned(), bytes: 16 * MIB };
    let mut spool = Spool::new(&options, "unix:/dev/log", Instant::now());
    let now = Instant::now();
    for bytes in [10, 4 << 10] {
        append_all_sized(&mut spool, 1000, bytes);
        for _ in 0..1000 {
            let end = take_to(&mut spool, Bulk, 1);
            spool.delivered(ends(Bulk, end), now);
        }
        spool.rewind(now);
        let again = (0..).take_while(|_| spool.next(Bulk).is_some()).count();
        assert!((60..=130).contains(&again), "{again} of {bytes} bytes");
    }
}

fn append_all_sized(spool: &mut Spool, count: usize, bytes: usize) {
    for _ in 0..count {
        let kept = spool.append(&mut Load::new(Bulk, 1, 1), &vec![b'x'; bytes]);
        assert!(matches!(kept, Kept::Spooled { .. }));
    }
}
