//! Files that somebody or something has changed.

use super::*;

#[test]
fn a_torn_line_is_cut() {
    let place = Place::new();
    let mut spool = place.open();
    append_all(&mut spool, Bulk, 0..3);
    drop(spool);
    let file = File::options().write(true).open(&place.files(Bulk)[0]).unwrap();
    let whole = file.metadata().unwrap().len();
    for cut in [1, 100, 4000] {
        file.set_len(whole - cut).unwrap();
        let mut spool = place.open();
        assert_eq!(take(&mut spool, Bulk), [0, 1], "{cut}");
        append_all(&mut spool, Bulk, 7..8);
        assert_eq!(take(&mut spool, Bulk), [7]);
        assert_eq!(spool.damage(), Damage::default());
    }
    assert_eq!(place.set_aside(), 0);
}

#[test]
fn a_damaged_line_is_left_out_and_its_file_set_aside() {
    let place = Place::new();
    let mut spool = place.open();
    append_all(&mut spool, Bulk, 0..40);
    let file = File::options().write(true).open(&place.files(Bulk)[0]).unwrap();
    // In the third message.
    file.write_all_at(b"?", 10_000).unwrap();
    let expected: Vec<u64> = (0..40).filter(|number| *number != 2).collect();
    assert_eq!(take(&mut spool, Bulk), expected);
    assert_eq!((spool.damage().lines, place.set_aside()), (1, 0));
    let end = {
        append_all(&mut spool, Bulk, 40..41);
        take_to(&mut spool, Bulk, 1)
    };
    spool.delivered(ends(Bulk, end), Instant::now());
    append_all(&mut spool, Bulk, 41..42);
    let end = take_to(&mut spool, Bulk, 1);
    spool.delivered(ends(Bulk, end), Instant::now() + 2 * RESENT);
    assert_eq!(spool.damage(), Damage { lines: 1, foreign_files: 0 });
    assert_eq!(place.set_aside(), 1);
}

#[test]
fn whatever_is_damaged_the_rest_is_there() {
    let mut rng = fastrand::Rng::with_seed(7);
    for _ in 0..100 {
        let place = Place::new();
        let mut spool = place.open();
        append_all(&mut spool, Bulk, 0..60);
        drop(spool);
        let mut most_lost = 0;
        for path in place.files(Bulk) {
            let mut bytes = fs::read(&path).unwrap();
            let at = rng.usize(files::VERSION_LINE.len()..bytes.len() - 1);
            let kind = rng.u8(0..3);
            match kind {
                0 => bytes[at] ^= 1 << rng.u8(0..8),
                1 => bytes.truncate(at),
                _ => bytes[at..].iter_mut().take(3000).for_each(|byte| *byte = 0),
            }
            // The end of a line, perhaps: then it is of two.
            most_lost += [2, PER_FILE as usize, 3][usize::from(kind)];
            fs::write(&path, &bytes).unwrap();
        }
        let mut spool = place.open();
        assert_eq!(spool.error(), None);
        let there = take(&mut spool, Bulk);
        assert!(there.windows(2).all(|pair| pair[0] < pair[1]), "{there:?}");
        assert!(there.len() + most_lost >= 60 && there.len() < 60, "{}", there.len());
        append_all(&mut spool, Bulk, 60..62);
        assert_eq!(take(&mut spool, Bulk), [60, 61]);
    }
}

#[test]
fn a_file_of_another_version_is_set_aside() {
    let place = Place::new();
    let mut spool = place.open();
    append_all(&mut spool, Bulk, 0..40);
    drop(spool);
    let files = place.files(Bulk);
    File::options().write(true).open(&files[0]).unwrap().write_all_at(b"mote-spool 2", 0).unwrap();
    fs::write(place.dir().join("bulk-7fffffffffffffff"), "x").unwrap();
    fs::write(place.dir().join("bulk-x"), "not ours").unwrap();
    let mut spool = place.open();
    let there = take(&mut spool, Bulk);
    assert_eq!(there.last(), Some(&39));
    assert!(there[0] > 10 && there[0] < 20, "{there:?}");
    assert_eq!(spool.damage(), Damage { lines: 0, foreign_files: 2 });
    assert_eq!(place.set_aside(), 2);
    assert!(place.dir().join("bulk-x").exists());
}

#[test]
fn a_damaged_position_sends_all_again() {
    let place = Place::new();
    let mut spool = place.open();
    append_all(&mut spool, Bulk, 0..5);
    let end = take_to(&mut spool, Bulk, 3);
    spool.delivered(ends(Bulk, end), Instant::now());
    drop(spool);
    let position = place.dir().join(POSITION);
    let text = fs::read_to_string(&position).unwrap();
    assert_eq!(text.len(), POSITION_BYTES, "{text}");
    for (changed, expected) in [
        (text.clone(), 3..5),
        (text.replace('0', "1"), 0..5),
        (text[..POSITION_BYTES / 2].to_owned(), 0..5),
        (String::new(), 0..5),
    ] {
        fs::write(&position, changed).unwrap();
        assert_eq!(take(&mut place.open(), Bulk), expected.collect::<Vec<_>>());
    }
}

/// As after a host that went down: the position was on the disk before the messages were.
#[test]
fn a_position_beyond_the_end_is_taken_back() {
    let place = Place::new();
    let mut spool = place.open();
    append_all(&mut spool, Bulk, 0..10);
    let end = take_to(&mut spool, Bulk, 10);
    spool.delivered(ends(Bulk, end), Instant::now());
    drop(spool);
    for path in place.files(Bulk) {
        fs::remove_file(path).unwrap();
    }
    append_all(&mut place.open(), Bulk, 10..13);
    assert_eq!(take(&mut place.open(), Bulk), [10, 11, 12]);
}

#[test]
fn what_is_no_file_of_ours_is_set_aside() {
    let place = Place::new();
    append_all(&mut place.open(), Bulk, 0..2);
    let file = |name: &str| place.dir().join(name);
    std::os::unix::fs::symlink("/etc/passwd", file("bulk-0000000000000001")).unwrap();
    fs::create_dir(file("bulk-0000000000000002")).unwrap();
    let pipe = std::process::Command::new("mkfifo").arg(file("bulk-0000000000000003")).status();
    assert!(pipe.unwrap().success());
    // No names that are written.
    fs::write(file("bulk-+000000000000000"), "").unwrap();
    fs::write(file("bulk-00000000000000AB"), "").unwrap();
    // One that was begun when the sensor was killed.
    fs::write(file("bulk-00000000000000ab"), "mote-sp").unwrap();
    let mut spool = place.open();
    assert_eq!(spool.error(), None);
    assert_eq!(take(&mut spool, Bulk), [0, 1]);
    assert_eq!(spool.damage(), Damage { lines: 0, foreign_files: 3 });
    assert!(fs::read_to_string("/etc/passwd").unwrap().starts_with("root"));
    assert!(!file("bulk-00000000000000ab").exists());
}

/// As file systems leave it that had the length of a file on the disk before what is in it.
#[test]
fn a_line_behind_zeros_is_read() {
    let place = Place::new();
    append_all(&mut place.open(), Bulk, 0..3);
    let file = File::options().write(true).open(&place.files(Bulk)[0]).unwrap();
    let end = file.metadata().unwrap().len();
    file.set_len(end + 100_000).unwrap();
    let mut spool = place.open();
    append_all(&mut spool, Bulk, 3..5);
    assert_eq!(take(&mut spool, Bulk), [0, 1, 2, 3, 4]);
    // Somebody empties the file that is written to.
    let file = File::options().write(true).open(place.files(Bulk).last().unwrap()).unwrap();
    file.set_len(0).unwrap();
    append_all(&mut spool, Bulk, 5..7);
    assert_eq!(take(&mut spool, Bulk), [5, 6]);
    assert_eq!(place.set_aside(), 0);
}

/// What cannot be read costs what is in that file, and not what is in the others.
#[test]
fn a_file_that_cannot_be_read_is_passed_over() {
    let place = Place::new();
    let mut spool = place.open();
    append_all(&mut spool, Bulk, 0..50);
    let files = place.files(Bulk);
    fs::remove_file(&files[1]).unwrap();
    fs::create_dir(&files[1]).unwrap();
    let there = take(&mut spool, Bulk);
    assert_eq!(there.len(), 50 - PER_FILE as usize, "{there:?}");
    assert_eq!((spool.damage().lines, spool.error()), (1, None));
}
