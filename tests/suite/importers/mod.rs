//! Files of foreign formats as their data sets publish them: what they hold, that scenes made from them make sense,
//! and that damaged ones end in an error. The real files are looked for in `../shared/data` beside the repository;
//! their licences keep them out of it. Where they are absent the tests say so and check what the repository has.

mod cli;
mod hostile;
mod made;
mod real;

use std::path::{Path, PathBuf};
use std::sync::Once;

/// A real file by its path below `../shared/data`, if it is there.
#[expect(clippy::print_stderr, reason = "a test that says what it could not do")]
pub(crate) fn real(name: &str) -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
    let path = root.join(name);
    if path.exists() {
        return Some(path);
    }
    static SAID: Once = Once::new();
    if root.exists() {
        eprintln!("skipped: {name} is not in ../shared/data");
    } else {
        SAID.call_once(|| eprintln!("skipped: no real files, ../shared/data is absent"));
    }
    None
}
