//! The safe: files under the state folder that only the house may read, each written whole or not at all.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::Failure;

/// Makes a folder for the owner alone, empty even if something was left there by a crash.
pub(super) fn make_folder(path: &Path) -> Result<(), Failure> {
    let gone = fs::remove_dir_all(path);
    let made = match gone {
        Err(why) if why.kind() != ErrorKind::NotFound => Err(why),
        _ => DirBuilder::new().mode(0o700).create(path),
    };
    made.map_err(|why| Failure::file(path, why))
}

/// Gives a finished folder its name, if nothing has that name.
pub(super) fn place_folder(finished: &Path, path: &Path) -> Result<(), Failure> {
    // `rename` replaces an empty folder and nothing else.
    let placed = fs::rename(finished, path).and_then(|()| sync_parent(path));
    placed.map_err(|why| match why.kind() {
        ErrorKind::DirectoryNotEmpty | ErrorKind::AlreadyExists | ErrorKind::NotADirectory => {
            Failure::Founded(path.into())
        }
        _ => Failure::file(path, why),
    })
}

/// Writes a file of mode 0600: beside its place, to the disk, and only then under its name.
pub(super) fn put(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let beside = beside(path);
    let write = || -> io::Result<()> {
        match fs::remove_file(&beside) {
            Err(why) if why.kind() != ErrorKind::NotFound => return Err(why),
            _ => {}
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&beside, path)?;
        sync_parent(path)
    };
    write().map_err(|why| Failure::file(path, why))
}

/// Removes a file, if there is one.
pub(super) fn remove(path: &Path) -> Result<(), Failure> {
    match fs::remove_file(path) {
        Err(why) if why.kind() != ErrorKind::NotFound => Err(Failure::file(path, why)),
        _ => sync_parent(path).map_err(|why| Failure::file(path, why)),
    }
}

/// Reads a file; `None` when there is none.
pub(super) fn get(path: &Path) -> Result<Option<Vec<u8>>, Failure> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(why) if why.kind() == ErrorKind::NotFound => Ok(None),
        Err(why) => Err(Failure::file(path, why)),
    }
}

/// Reads a file of text that must be there.
pub(super) fn text(path: &Path) -> Result<String, Failure> {
    fs::read_to_string(path).map_err(|why| Failure::file(path, why))
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    name.into()
}

/// A new name is on the disk only when its folder is.
pub(super) fn sync_parent(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}
