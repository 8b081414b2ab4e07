//! Gives up everything that the profile does not leave: groups, user,
//! capabilities, system calls.

use rustix::io::Errno;
use rustix::thread::{
    CapabilitySet, CapabilitySets, Gid, Uid, remove_capability_from_bounding_set, set_capabilities,
    set_no_new_privs, set_thread_groups, set_thread_res_gid, set_thread_res_uid,
};

use super::program::Program;
use crate::tier::Tier;
use crate::wire::Failure;

/// Bits of `linux/capability.h` there can be.
const CAPABILITIES: u32 = 64;

pub(super) fn drop_all(program: &Program<'_>) -> Result<(), Failure> {
    let Some(profile) = program.profile else {
        return Ok(());
    };
    let filter = || -> Result<(), Failure> { Ok(()) };
    // With no_new_privs a filter can be installed at any time: then last, so
    // that our own calls need not pass it. Without, it takes CAP_SYS_ADMIN.
    let user = program.user;
    if !profile.no_new_privileges && program.tier != Tier::SingleUser {
        filter()?;
    }
    for number in 0..CAPABILITIES {
        if profile.capabilities & (1 << number) == 0 {
            match remove_capability_from_bounding_set(CapabilitySet::from_bits_retain(1 << number))
            {
                Ok(()) => {}
                // Beyond the kernel's last one.
                Err(Errno::INVAL) => break,
                Err(e) => return Err(Failure::step("dropping capabilities", e)),
            }
        }
    }
    let single = program.tier == Tier::SingleUser;
    if !single {
        let groups: Vec<Gid> = user.groups.iter().map(|&gid| Gid::from_raw(gid)).collect();
        set_thread_groups(&groups).map_err(|e| Failure::step("setting groups", e))?;
        let (uid, gid) = (Uid::from_raw(user.uid), Gid::from_raw(user.gid));
        set_thread_res_gid(gid, gid, gid)
            .map_err(|e| Failure::step(format!("becoming group {}", user.gid), e))?;
        set_thread_res_uid(uid, uid, uid)
            .map_err(|e| Failure::step(format!("becoming user {}", user.uid), e))?;
    } else if user.uid != 0 || user.gid != 0 {
        single_user::become_user(user)?;
    }
    if single && !profile.no_new_privileges {
        filter()?;
    }
    let kept = if user.uid == 0 {
        profile.capabilities
    } else {
        0
    };
    let kept = CapabilitySet::from_bits_retain(kept);
    let sets = CapabilitySets {
        effective: kept,
        permitted: kept,
        inheritable: CapabilitySet::empty(),
    };
    set_capabilities(None, sets).map_err(|e| Failure::step("setting capabilities", e))?;
    if profile.no_new_privileges {
        set_no_new_privs(true).map_err(|e| Failure::step("setting no_new_privs", e))?;
        filter()?;
    }
    Ok(())
}

/// With one id only: the id that we are gets another name.
mod single_user {
    use rustix::thread::UnshareFlags;

    use crate::init::user::User;
    use crate::sys;
    use crate::wire::Failure;

    /// Enters a further user namespace in which our one id is called as the
    /// image wants it.
    pub(super) fn become_user(user: &User) -> Result<(), Failure> {
        let failed = |e: std::io::Error| Failure::step("renaming the single user", e);
        sys::unshare(UnshareFlags::NEWUSER).map_err(failed)?;
        let write = |file: &str, text: String| {
            std::fs::write(format!("/proc/self/{file}"), text).map_err(failed)
        };
        let _ = write("setgroups", "deny".to_owned());
        write("uid_map", format!("{} 0 1", user.uid))?;
        write("gid_map", format!("{} 0 1", user.gid))
    }
}
