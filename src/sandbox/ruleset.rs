//! Landlock: the one mechanism so far. Grants in, a restricted process out.
//!
//! The crate's best-effort mode hides what a kernel lacks; here every right is asked for as a hard
//! requirement of the ABI that the kernel has, so that what is enforced is known exactly.

use crate::sandbox::Error;
use landlock::ABI;
use landlock::Access;
use landlock::AccessFs;
use landlock::AccessNet;
use landlock::BitFlags;
use landlock::CompatLevel;
use landlock::Compatible;
use landlock::LandlockStatus;
use landlock::PathBeneath;
use landlock::PathFd;
use landlock::RestrictSelf;
use landlock::Ruleset;
use landlock::RulesetAttr;
use landlock::RulesetCreated;
use landlock::RulesetCreatedAttr;
use landlock::RulesetError;
use landlock::Scope;
use std::io;
use std::path::Path;
use std::path::PathBuf;

/// What may be done at a place and below it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grant {
    /// List directories.
    List,
    /// Read, run and list.
    Read,
    /// Read, and write without making anything: for devices.
    Device,
    /// All of it: read, write, make, remove, rename.
    Write,
}

/// The version of Landlock that this kernel has, as far as we know it.
pub fn version() -> Result<ABI, Error> {
    // Asking for nothing restricts nothing, and tells what there is.
    let status = RestrictSelf::default().no_new_privs(false).apply();
    match status.map_err(kernel)?.landlock {
        LandlockStatus::Available { effective_abi, .. } => Ok(effective_abi),
        LandlockStatus::NotEnabled => Err(Error::Unavailable("has Landlock switched off")),
        LandlockStatus::NotImplemented => {
            let reason = "has no Landlock (Linux 5.13), or a container's filter forbids it";
            Err(Error::Unavailable(reason))
        }
    }
}

/// Restricts this thread and all that it starts to `grants`, for good. TCP goes too where
/// `network` is false and the kernel can.
pub fn restrict(abi: ABI, grants: &[(PathBuf, Grant)], network: bool) -> Result<(), Error> {
    let mut ruleset = Ruleset::default()
        .set_compatibility(CompatLevel::HardRequirement)
        .handle_access(AccessFs::from_all(abi))
        .map_err(kernel)?;
    if !network && stops_tcp(abi) {
        ruleset = ruleset
            .handle_access(AccessNet::from_all(abi))
            .map_err(kernel)?;
    }
    if scopes(abi) {
        ruleset = ruleset.scope(Scope::from_all(abi)).map_err(kernel)?;
    }
    let mut created = ruleset.create().map_err(kernel)?;
    for (path, grant) in grants {
        created = add(created, path, rights(*grant, abi))?;
    }
    created.restrict_self().map_err(kernel)?;
    Ok(())
}

/// Whether `truncate` is stopped where writing is not granted (Linux 6.2).
pub fn stops_truncate(abi: ABI) -> bool {
    abi >= ABI::V3
}

/// Whether TCP can be stopped (Linux 6.7).
pub fn stops_tcp(abi: ABI) -> bool {
    abi >= ABI::V4
}

/// Whether commands to devices are stopped (Linux 6.10).
pub fn stops_ioctl(abi: ABI) -> bool {
    abi >= ABI::V5
}

/// Whether signals and abstract sockets end at the sandbox's edge (Linux 6.12).
pub fn scopes(abi: ABI) -> bool {
    abi >= ABI::V6
}

/// Whether sockets in the file system are only reached where writing is granted (Linux 7.1).
pub fn stops_sockets(abi: ABI) -> bool {
    abi >= ABI::V9
}

fn rights(grant: Grant, abi: ABI) -> BitFlags<AccessFs> {
    let device_nodes = AccessFs::MakeChar | AccessFs::MakeBlock;
    let rights = match grant {
        Grant::List => AccessFs::ReadDir.into(),
        Grant::Read => AccessFs::from_read(abi),
        Grant::Device => {
            AccessFs::ReadDir
                | AccessFs::ReadFile
                | AccessFs::WriteFile
                | AccessFs::Truncate
                | AccessFs::IoctlDev
        }
        Grant::Write => AccessFs::from_all(abi) & !device_nodes & !AccessFs::IoctlDev,
    };
    rights & AccessFs::from_all(abi)
}

/// Adds one rule. A place that is gone by now, or that we may not even look at, has nothing to
/// grant.
fn add(
    created: RulesetCreated,
    path: &Path,
    rights: BitFlags<AccessFs>,
) -> Result<RulesetCreated, Error> {
    let Ok(place) = PathFd::new(path) else {
        return Ok(created);
    };
    // The kernel refuses rights of directories on anything else.
    let rights = match path.is_dir() {
        true => rights,
        false => rights & AccessFs::from_file(ABI::V9),
    };
    if rights.is_empty() {
        return Ok(created);
    }
    created
        .add_rule(PathBeneath::new(place, rights))
        .map_err(kernel)
}

fn kernel(error: RulesetError) -> Error {
    Error::Kernel(io::Error::other(error))
}
