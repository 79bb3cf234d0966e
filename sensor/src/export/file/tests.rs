//! The file of records: what is in which generation, and what a failure leaves.

use std::os::unix::fs::PermissionsExt;

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;

fn settings(directory: &TempDir, max_bytes: u64, keep: u32) -> FileOutput {
    let path = directory.path().join("logs/records.jsonl");
    FileOutput { path, max_bytes, keep, ..FileOutput::default() }
}

fn write(sink: &mut FileSink, lines: &[&str]) {
    for line in lines {
        sink.write_lines(format!("{line}\n").as_bytes(), 1).unwrap();
    }
    sink.flush().unwrap();
}

/// Compares the text of the file and its generations, newest first; what is not there is "-".
fn check(settings: &FileOutput, expected: &[&str]) {
    let generation = |number: usize| match number {
        0 => settings.path.clone(),
        number => PathBuf::from(format!("{}.{number}", settings.path.display())),
    };
    let texts = (0..expected.len())
        .map(|number| fs::read_to_string(generation(number)).unwrap_or_else(|_| "-".to_owned()));
    assert_eq!(texts.collect::<Vec<_>>(), expected);
}

#[test]
fn a_second_writer_is_refused_and_a_new_file_in_its_place_is_written_to() {
    let directory = TempDir::new().unwrap();
    let settings = settings(&directory, 100, 1);
    let mut sink = FileSink::open(&settings).unwrap();
    write(&mut sink, &["one"]);
    let refused = format!("{:#}", FileSink::open(&settings).unwrap_err());
    assert!(refused.starts_with("another agent writes records to "), "{refused}");
    assert!(refused.contains(&std::process::id().to_string()), "{refused}");
    File::options().write(true).open(&settings.path).unwrap().set_len(0).unwrap();
    write(&mut sink, &["two"]);
    check(&settings, &["two\n"]);
    fs::rename(&settings.path, directory.path().join("moved")).unwrap();
    let other = File::create(&settings.path).unwrap();
    sole::take(&other).unwrap();
    write(&mut sink, &["three"]);
    check(&settings, &["three\n"]);
}

#[test]
fn generations() {
    let directory = TempDir::new().unwrap();
    let settings = settings(&directory, 8, 2);
    let mut sink = FileSink::open(&settings).unwrap();
    write(&mut sink, &["aaa", "bbb"]);
    check(&settings, &["aaa\nbbb\n", "-"]);
    write(&mut sink, &["ccc"]);
    check(&settings, &["ccc\n", "aaa\nbbb\n", "-"]);
    write(&mut sink, &["ddd", "eee", "fff", "ggg"]);
    check(&settings, &["ggg\n", "eee\nfff\n", "ccc\nddd\n", "-"]);
    write(&mut sink, &["longer than the bound"]);
    check(&settings, &["longer than the bound\n", "ggg\n", "eee\nfff\n", "-"]);
    assert_eq!(sink.lost_lines(), 0);
}

#[test]
fn lines_that_fill_the_buffer_are_written_at_once_and_in_order() {
    let directory = TempDir::new().unwrap();
    let settings = settings(&directory, 1 << 20, 1);
    let mut sink = FileSink::open(&settings).unwrap();
    let large = "x".repeat(BUFFER_BYTES) + "\n";
    let mut expected = String::new();
    for (lines, is_written) in [("one\n", false), (&large, true), (&large, true), ("two\n", false)]
    {
        let before = expected.clone();
        expected += lines;
        sink.write_lines(lines.as_bytes(), 1).unwrap();
        let written = if is_written { &expected } else { &before };
        check(&settings, &[written]);
    }
}

#[test]
fn no_generation_is_kept_when_none_is_wanted() {
    let directory = TempDir::new().unwrap();
    let settings = settings(&directory, 8, 0);
    let mut sink = FileSink::open(&settings).unwrap();
    write(&mut sink, &["aaa", "bbb", "ccc"]);
    check(&settings, &["ccc\n", "-"]);
}

#[test]
fn a_restart_appends_and_ends_a_torn_line() {
    let directory = TempDir::new().unwrap();
    let settings = settings(&directory, 100, 2);
    write(&mut FileSink::open(&settings).unwrap(), &["one"]);
    write(&mut FileSink::open(&settings).unwrap(), &["two"]);
    check(&settings, &["one\ntwo\n", "-"]);
    fs::write(&settings.path, "one\ntw").unwrap();
    write(&mut FileSink::open(&settings).unwrap(), &["three"]);
    check(&settings, &["one\ntw\nthree\n", "-"]);
}

#[test]
fn only_owner_and_group_may_look() {
    let directory = TempDir::new().unwrap();
    let settings = settings(&directory, 100, 2);
    FileSink::open(&settings).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&settings.path) & !FILE_MODE, 0);
    assert_eq!(mode(settings.path.parent().unwrap()) & !DIRECTORY_MODE, 0);
}

#[test]
fn another_program_may_rotate() {
    let directory = TempDir::new().unwrap();
    let settings = settings(&directory, 100, 2);
    let mut sink = FileSink::open(&settings).unwrap();
    write(&mut sink, &["one"]);
    sink.write_lines(b"two\n", 1).unwrap();
    fs::rename(&settings.path, settings.path.with_extension("moved")).unwrap();
    sink.reopen().unwrap();
    write(&mut sink, &["three"]);
    let moved = fs::read_to_string(settings.path.with_extension("moved")).unwrap();
    assert_eq!(moved, "one\n");
    check(&settings, &["two\nthree\n", "-"]);
}

#[test]
fn a_file_that_is_gone_is_made_anew() {
    let directory = TempDir::new().unwrap();
    let settings = settings(&directory, 100, 2);
    let mut sink = FileSink::open(&settings).unwrap();
    write(&mut sink, &["one"]);
    fs::remove_file(&settings.path).unwrap();
    write(&mut sink, &["two"]);
    check(&settings, &["two\n", "-"]);
    fs::rename(&settings.path, settings.path.with_extension("moved")).unwrap();
    fs::write(&settings.path, "theirs\n").unwrap();
    write(&mut sink, &["three"]);
    check(&settings, &["theirs\nthree\n", "-"]);
    assert_eq!(sink.lost_lines(), 0);
}

#[test]
fn a_truncated_file_is_measured_anew() {
    let directory = TempDir::new().unwrap();
    let settings = settings(&directory, 12, 2);
    let mut sink = FileSink::open(&settings).unwrap();
    write(&mut sink, &["aaa", "bbb"]);
    fs::write(&settings.path, "").unwrap();
    write(&mut sink, &["ccc"]);
    write(&mut sink, &["ddd", "eee"]);
    check(&settings, &["ccc\nddd\neee\n", "-"]);
}

#[test]
fn a_full_disk_is_counted_and_tried_again() {
    let full = FileOutput { path: "/dev/full".into(), ..FileOutput::default() };
    let mut sink = FileSink::open(&full).unwrap();
    for lost in [2, 4] {
        sink.write_lines(b"one\n", 1).unwrap();
        sink.write_lines(b"two\n", 1).unwrap();
        assert_eq!(sink.flush().unwrap_err().kind(), io::ErrorKind::StorageFull);
        assert_eq!(sink.lost_lines(), lost);
    }
    // As if there were room again.
    let directory = TempDir::new().unwrap();
    let settings = settings(&directory, 100, 2);
    sink.path = settings.path.clone();
    write(&mut sink, &["three"]);
    check(&settings, &["three\n", "-"]);
    assert_eq!(sink.lost_lines(), 4);
}

#[test]
fn a_directory_that_forbids_renaming_costs_no_line() {
    let directory = TempDir::new().unwrap();
    let settings = settings(&directory, 8, 1);
    let mut sink = FileSink::open(&settings).unwrap();
    write(&mut sink, &["aaa", "bbb"]);
    // A directory cannot be replaced by a file, which stands for any reason not to rename.
    fs::create_dir(format!("{}.1", settings.path.display())).unwrap();
    assert!(sink.write_lines(b"ccc\n", 1).is_err());
    write(&mut sink, &["ddd"]);
    check(&settings, &["aaa\nbbb\nccc\nddd\n"]);
    assert_eq!(sink.lost_lines(), 0);
}

#[test]
fn an_unwritable_path_is_named_with_the_fix() {
    let settings = FileOutput { path: "/dev/null/records.jsonl".into(), ..FileOutput::default() };
    let error = format!("{:#}", FileSink::open(&settings).unwrap_err());
    assert!(error.starts_with("cannot write records to /dev/null/records.jsonl; make "), "{error}");
    assert!(error.contains("output.file.path"), "{error}");
}

#[test]
fn octets_of_a_failed_write_are_counted() {
    struct Slow(usize);
    impl Write for Slow {
        fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
            let count = self.0.min(octets.len()).min(2);
            self.0 -= count;
            Ok(count)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let (written, result) = write_counted(&mut Slow(5), b"1234567");
    assert_eq!((written, result.unwrap_err().kind()), (5, io::ErrorKind::WriteZero));
    assert_eq!(write_counted(&mut Slow(9), b"1234567").0, 7);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_line_is_in_one_generation_and_in_order(
        lines in proptest::collection::vec("[a-z]{0,12}", 0..40),
        max_bytes in 1_u64..40,
        together in 1_usize..10,
    ) {
        let directory = TempDir::new().unwrap();
        let settings = settings(&directory, max_bytes, 50);
        let mut sink = FileSink::open(&settings).unwrap();
        for lines in lines.chunks(together) {
            let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
            sink.write_lines(text.as_bytes(), lines.len() as u64).unwrap();
        }
        sink.flush().unwrap();
        let mut read = Vec::new();
        for number in (0..=50).rev() {
            let path = if number == 0 { settings.path.clone() } else { sink.generation(number) };
            let text = fs::read_to_string(path).unwrap_or_default();
            prop_assert!(text.len() as u64 <= max_bytes || text.lines().count() == 1);
            read.extend(text.lines().map(str::to_owned));
        }
        prop_assert_eq!(read, lines);
    }
}
