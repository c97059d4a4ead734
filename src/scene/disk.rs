//! Files on the disk: written whole or not at all, and what the system says of them in words.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// What the operating system says about a path, with what to do about the usual cases.
pub(crate) fn in_words(error: &std::io::Error) -> String {
    use std::io::ErrorKind;
    let words = match error.kind() {
        ErrorKind::NotFound => "nothing is there. Check the path",
        ErrorKind::PermissionDenied => {
            "this account may not use it. Change its permissions or take another place"
        }
        ErrorKind::StorageFull => "the disk is full. Make room or take another place",
        _ => return error.to_string(),
    };
    words.to_owned()
}

/// Text that came from a file or another program, for a terminal: control characters other than line ends would be
/// obeyed there, so each becomes a replacement character.
pub(crate) fn for_terminal(text: &str) -> String {
    let is_obeyed = |letter: char| letter.is_control() && letter != '\n';
    text.replace(is_obeyed, "\u{fffd}")
}

/// A file that is written piece by piece beside its place and takes that once it is whole. At any moment the old content or the
/// new is there. A link is followed, and a file that is replaced keeps its mode.
pub struct NewFile {
    file: tempfile::NamedTempFile,
    target: PathBuf,
}

impl NewFile {
    /// Begins a file that goes to `path`, in a folder that is there.
    ///
    /// # Errors
    /// If the operating system refuses, or what is at `path` is no ordinary file or is write-protected.
    pub fn beside(path: &Path) -> std::io::Result<Self> {
        let is_link = fs::symlink_metadata(path).is_ok_and(|facts| facts.is_symlink());
        let target = match is_link {
            true => fs::canonicalize(path)?,
            false => path.to_path_buf(),
        };
        let mut builder = tempfile::Builder::new();
        if let Ok(there) = fs::metadata(&target) {
            if !there.is_file() {
                return Err(std::io::Error::other("it is no ordinary file"));
            }
            if there.permissions().readonly() {
                return Err(std::io::Error::other("it is write-protected"));
            }
            builder.permissions(there.permissions());
        } else {
            #[cfg(unix)]
            builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666)); // less the user's mask, as any file
        }
        let file = builder.tempfile_in(folder_of(&target))?;
        Ok(Self { file, target })
    }

    /// What is written into. It goes with the draft, unless that is published.
    pub fn file(&self) -> &fs::File {
        self.file.as_file()
    }

    /// Gives the file its place, in which another one is replaced.
    ///
    /// # Errors
    /// If the operating system refuses.
    pub fn publish(self) -> std::io::Result<()> {
        self.file.as_file().sync_all()?;
        self.file
            .persist(&self.target)
            .map_err(|error| error.error)?;
        Ok(())
    }
}

/// Writes a file as a whole ([`NewFile`]).
///
/// # Errors
/// If the operating system refuses, or what is there is no ordinary file (a device, a pipe) or is write-protected.
pub fn write_whole(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let file = NewFile::beside(path)?;
    file.file().write_all(bytes)?;
    file.publish()
}

/// The folder a path lies in.
pub(super) fn folder_of(path: &Path) -> &Path {
    path.parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or_else(|| Path::new("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_not_printed() {
        assert_eq!(
            for_terminal("a\u{1b}[31mb\nc\r"),
            "a\u{fffd}[31mb\nc\u{fffd}"
        );
    }

    #[test]
    #[cfg(unix)]
    fn a_file_written_whole_has_the_permissions_of_any_new_file() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode();
        let (plain, scene) = (
            folder.path().join("plain"),
            folder.path().join("scene.json"),
        );
        fs::write(&plain, "").unwrap();
        write_whole(&scene, b"{}").unwrap();
        assert_eq!(mode(&plain), mode(&scene));
    }

    #[test]
    #[cfg(unix)]
    fn a_published_file_is_as_readable_as_any_new_one_or_as_what_it_replaces() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let publish = |path: &Path| {
            let draft = NewFile::beside(path)?;
            std::io::Write::write_all(&mut draft.file(), b"new")?;
            draft.publish()
        };
        let (new, any) = (at("new.gif"), at("any"));
        publish(&new).unwrap();
        fs::write(&any, b"").unwrap();
        assert_eq!(mode(&new), mode(&any));
        // a mode that no usual mask gives
        fs::set_permissions(&new, fs::Permissions::from_mode(0o604)).unwrap();
        let link = at("link.gif");
        std::os::unix::fs::symlink(&new, &link).unwrap();
        publish(&link).unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(
            (mode(&new), fs::read(&new).unwrap()),
            (0o604, b"new".to_vec())
        );
        fs::set_permissions(&new, fs::Permissions::from_mode(0o444)).unwrap();
        assert!(publish(&new).is_err() && publish(folder.path()).is_err());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3);
    }
}
