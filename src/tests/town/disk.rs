//! A small disk, which can be full.

use std::fs;
use std::path::{Path, PathBuf};

use super::text;
use super::tools::tell;

/// Gone with the value, after whoever uses it.
pub(crate) struct Disk(PathBuf, tempfile::TempDir);

impl Disk {
    pub(crate) fn of(megabytes: u32) -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let path = dir.path().join("disk");
        fs::create_dir(&path).expect("our own folder");
        let size = format!("size={megabytes}m");
        tell("mount", &["-t", "tmpfs", "-o", &size, "tmpfs", text(&path)]).well();
        Self(path, dir)
    }

    pub(crate) fn grow(&self, megabytes: u32) {
        tell("mount", &["-o", &format!("remount,size={megabytes}m"), text(&self.0)]).well();
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        tell("umount", &["-l", text(&self.0)]);
        let _ = fs::remove_dir(&self.0);
        let _ = self.1.path();
    }
}
