//! Compares what a test made with a file that was reviewed; `BLESS=1` writes the file instead.
//!
//! It must not know what the text is.

use std::path::{Path, PathBuf};
use std::{env, fs};

/// Fails unless `actual` is the text of the file at `path`, given from the repository's top.
pub(crate) fn check(path: &str, actual: &str) {
    let file = repository().join(path);
    if env::var_os("BLESS").is_some() {
        let folder = file.parent().expect("a file below the repository");
        fs::create_dir_all(folder).expect("a folder for golden files");
        fs::write(&file, actual).expect("a golden file that can be written");
    }
    let expected = fs::read_to_string(&file)
        .unwrap_or_else(|error| panic!("{path}: {error}; BLESS=1 cargo test writes it"));
    assert!(
        actual == expected,
        "{path} differs; if the change is meant, BLESS=1 cargo test writes it. Now:\n{actual}"
    );
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}
