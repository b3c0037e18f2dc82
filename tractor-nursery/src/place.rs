//! [`Place`]: the tree's private directory, where its actors' sockets are.
//!
//! One directory per tree, 0700, with a lock file whose lock the root holds: the lock tells
//! whether the tree lives, so that the next start can remove what a killed one left.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use tractor_ipc::limits::SOCKET_PATH_BYTES_MAX;
use tractor_ipc::{ActorId, Address, TreeId};

use crate::os;

/// The directory of all trees of a user, below the runtime directory.
const TREES: &str = "tractor";
/// The file whose lock the root holds.
const LOCK: &str = "lock";

/// The tree's private directory. Dropping it removes it.
#[derive(Debug)]
pub(crate) struct Place {
    dir: PathBuf,
    _lock: File,
}

impl Place {
    /// Makes the tree's directory below `base`, or else below the first usable of the usual
    /// places, after removing what dead trees left there.
    ///
    /// # Errors
    ///
    /// The last place's error, if none is usable. The tree works without: its actors then reach
    /// each other only along the links between parent and child.
    pub(crate) fn make(base: Option<&Path>, tree: TreeId) -> io::Result<Self> {
        let bases = match base {
            Some(base) => vec![base.to_owned()],
            None => usual_bases(),
        };
        let mut result = Err(io::Error::from(io::ErrorKind::NotFound));
        for base in bases {
            result = Self::make_in(&base, tree).map_err(|error| {
                io::Error::new(error.kind(), format!("{}: {error}", base.display()))
            });
            if result.is_ok() {
                break;
            }
        }
        result
    }

    fn make_in(base: &Path, tree: TreeId) -> io::Result<Self> {
        let trees = base.join(trees_of_user(base));
        make_private(&trees)?;
        remove_dead(&trees);
        let dir = trees.join(&tree.to_string()[..16]);
        let longest = socket_path(&dir, u64::MAX).as_os_str().len();
        if longest > SOCKET_PATH_BYTES_MAX {
            let text = format!("a socket's path would have {longest} bytes");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        DirBuilder::new().mode(0o700).create(&dir)?;
        // It gets its name when it is locked: what has the name and no lock is dead.
        let unnamed = dir.join("unlocked");
        let lock = File::create(&unnamed)?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive)?;
        fs::rename(unnamed, dir.join(LOCK))?;
        Ok(Self { dir, _lock: lock })
    }

    /// The sockets that are there.
    pub(crate) fn sockets(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(&self.dir).into_iter().flatten().flatten();
        let is_socket = |it: &fs::DirEntry| it.file_type().is_ok_and(|kind| kind.is_socket());
        entries.filter(is_socket).map(|it| it.path()).collect()
    }

    /// Where an actor of the tree listens.
    pub(crate) fn address_of(&self, aid: &ActorId) -> Address {
        address_in(&self.dir, aid)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.dir) {
            log::warn!("remove {}: {error}", self.dir.display());
        }
    }
}

/// Where an actor listens whose parent listens at `parent`.
pub(crate) fn sibling_address(parent: &Address, aid: &ActorId) -> Option<Address> {
    match parent {
        Address::Unix(path) => Some(address_in(path.parent()?, aid)),
        // At a port of its own.
        Address::Tcp(_) => Some(Address::LOOPBACK),
    }
}

/// Removes the socket of an actor that cannot do it itself any more.
pub(crate) fn remove_socket(address: &Address) {
    if let Address::Unix(path) = address {
        // Mostly it has removed it itself.
        let _ = fs::remove_file(path);
    }
}

fn address_in(dir: &Path, aid: &ActorId) -> Address {
    Address::Unix(socket_path(dir, aid.incarnation()))
}

fn socket_path(dir: &Path, incarnation: u64) -> PathBuf {
    dir.join(format!("{incarnation:016x}"))
}

fn usual_bases() -> Vec<PathBuf> {
    let named = ["XDG_RUNTIME_DIR", "TMPDIR"];
    let mut bases: Vec<PathBuf> = named
        .iter()
        .filter_map(std::env::var_os)
        .map(PathBuf::from)
        .filter(|base| base.is_absolute())
        .collect();
    // Making a socket in memory takes a twentieth of the time that it takes on a disk.
    bases.extend(
        os::MEMORY_DIRS
            .into_iter()
            .chain(["/tmp"])
            .map(PathBuf::from),
    );
    bases
}

/// In a directory that all users share each has a name of its own.
fn trees_of_user(base: &Path) -> String {
    let uid = rustix::process::geteuid().as_raw();
    match fs::metadata(base) {
        Ok(meta) if meta.uid() == uid && meta.mode() & 0o077 == 0 => TREES.to_owned(),
        _ => format!("{TREES}-{uid}"),
    }
}

/// Makes a directory that only we may enter, or checks that it is one.
fn make_private(dir: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(dir) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    // Not followed if it is a link: somebody else's link could lead anywhere.
    let meta = fs::symlink_metadata(dir)?;
    let ours = meta.uid() == rustix::process::geteuid().as_raw();
    if meta.is_dir() && ours && meta.mode() & 0o077 == 0 {
        Ok(())
    } else {
        let text = format!("{} is not a directory that is ours alone", dir.display());
        Err(io::Error::new(io::ErrorKind::PermissionDenied, text))
    }
}

/// Removes the directories of trees whose root does not live: their lock is free.
fn remove_dead(trees: &Path) {
    for entry in fs::read_dir(trees).into_iter().flatten().flatten() {
        let dir = entry.path();
        // A tree that is just being made has no lock file yet; it is left alone.
        let Ok(lock) = File::open(dir.join(LOCK)) else {
            continue;
        };
        if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_ok() {
            // Another start may remove it at the same time.
            let _ = fs::remove_dir_all(&dir);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base(name: &str) -> PathBuf {
        let base = std::env::temp_dir().join(format!("place-{name}-{}", std::process::id()));
        fs::create_dir_all(&base).unwrap();
        base
    }

    #[test]
    fn what_a_dead_tree_left_is_removed_and_a_living_one_is_not() {
        let base = base("dead");
        let living = Place::make(Some(&base), TreeId(1 << 64)).unwrap();
        let dead = Place::make(Some(&base), TreeId(2 << 64)).unwrap();
        let (dead_dir, _) = (
            dead.dir.clone(),
            fs::write(dead.dir.join("socket"), "").unwrap(),
        );
        // As a killed root does: the lock goes, the directory stays.
        let Place {
            dir: _,
            _lock: lock,
        } = &dead;
        flock(lock, FlockOperation::Unlock).unwrap();
        std::mem::forget(dead);
        let next = Place::make(Some(&base), TreeId(3 << 64)).unwrap();
        assert!(!dead_dir.exists());
        assert!(living.dir.exists());
        drop((living, next));
        fs::remove_dir_all(base).unwrap();
    }

    #[test]
    fn a_path_that_is_too_long_is_refused_by_its_length() {
        let base = base(&"long".repeat(25));
        let error = Place::make(Some(&base), TreeId(1)).unwrap_err();
        assert!(error.to_string().contains("would have"), "{error}");
        fs::remove_dir_all(base).unwrap();
    }

    #[test]
    fn actors_listen_beside_their_parent() {
        let aid = ActorId::new("a", 7);
        let parent = Address::Unix("/run/t/00".into());
        let address = sibling_address(&parent, &aid).unwrap();
        assert_eq!(address.to_string(), "unix:/run/t/0000000000000007");
        let parent = Address::Tcp(([127, 0, 0, 1], 80).into());
        assert_eq!(sibling_address(&parent, &aid), Some(Address::LOOPBACK));
    }
}
