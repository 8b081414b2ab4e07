//! Gives up everything that the profile does not leave: groups, user,
//! capabilities, system calls.

use std::os::fd::AsFd;

use rustix::io::Errno;
use rustix::thread::{
    CapabilitySet, CapabilitySets, Gid, Uid, capabilities, remove_capability_from_bounding_set,
    set_capabilities, set_no_new_privs, set_thread_groups, set_thread_res_gid, set_thread_res_uid,
};

use super::program::{Program, Start};
use crate::seccomp;
use crate::spec::Profile;
use crate::sys;
use crate::tier::Tier;
use crate::wire::Failure;

/// Bits of `linux/capability.h` there can be.
const CAPABILITIES: u32 = 64;

pub(super) fn drop_all(program: &Program<'_>, start: &Start) -> Result<(), Failure> {
    let Some(profile) = program.profile else {
        return Ok(());
    };
    let (user, single) = (program.user, program.tier == Tier::SingleUser);
    // A new user namespace gives all capabilities back: first.
    if single && (user.uid, user.gid) != (0, 0) {
        single_user::become_user(user)?;
    }
    // With no_new_privs a filter can be installed at any time: then last, so
    // that our own calls need not pass it. Without, it takes CAP_SYS_ADMIN.
    if !profile.no_new_privileges {
        filter(program, profile, start)?;
    }
    for number in 0..CAPABILITIES {
        if profile.capabilities & (1 << number) == 0 {
            let capability = CapabilitySet::from_bits_retain(1 << number);
            match remove_capability_from_bounding_set(capability) {
                Ok(()) => {}
                // Beyond the kernel's last one.
                Err(Errno::INVAL) => break,
                Err(e) => return Err(Failure::step("dropping capabilities", e)),
            }
        }
    }
    if !single {
        let groups: Vec<Gid> = user.groups.iter().map(|&gid| Gid::from_raw(gid)).collect();
        set_thread_groups(&groups).map_err(|e| Failure::step("setting groups", e))?;
        let (uid, gid) = (Uid::from_raw(user.uid), Gid::from_raw(user.gid));
        set_thread_res_gid(gid, gid, gid)
            .map_err(|e| Failure::step(format!("becoming group {}", user.gid), e))?;
        set_thread_res_uid(uid, uid, uid)
            .map_err(|e| Failure::step(format!("becoming user {}", user.uid), e))?;
    }
    let kept = if user.uid == 0 {
        profile.capabilities
    } else {
        0
    };
    // Root of somebody's container may have fewer to begin with.
    let own = capabilities(None).map_err(|e| Failure::step("reading capabilities", e))?;
    let kept = CapabilitySet::from_bits_retain(kept) & own.permitted;
    let sets = CapabilitySets {
        effective: kept,
        permitted: kept,
        inheritable: CapabilitySet::empty(),
    };
    set_capabilities(None, sets).map_err(|e| Failure::step("setting capabilities", e))?;
    if profile.no_new_privileges {
        set_no_new_privs(true).map_err(|e| Failure::step("setting no_new_privs", e))?;
        filter(program, profile, start)?;
    }
    Ok(())
}

fn filter(program: &Program<'_>, profile: &Profile, start: &Start) -> Result<(), Failure> {
    if program.tier == Tier::SingleUser {
        install(&seccomp::pretend_ownership())?;
    }
    if profile.seccomp {
        install(&seccomp::docker_default(profile.capabilities))?;
    }
    // Of two filters the kernel heeds the stricter answer: what the profile
    // refuses is refused, and not even seen.
    if let Some(hook) = program.hook {
        hook.enter(&start.attempts, program.args, program.supervisor.as_fd())?;
    }
    Ok(())
}

fn install(filter: &[libc::sock_filter]) -> Result<(), Failure> {
    let result = match sys::install_filter(filter) {
        // Without CAP_SYS_ADMIN (chroot in somebody's container) the kernel
        // takes a filter only from who gives up setuid programs.
        Err(e) if e.raw_os_error() == Some(libc::EACCES) => {
            set_no_new_privs(true).map_err(|e| Failure::step("setting no_new_privs", e))?;
            sys::install_filter(filter)
        }
        result => result,
    };
    result.map_err(|e| Failure::step("installing the system call filter", e))
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
        write("gid_map", format!("{} 0 1", user.gid))?;
        let hidden = rustix::process::DumpableBehavior::NotDumpable;
        rustix::process::set_dumpable_behavior(hidden).map_err(|e| failed(e.into()))
    }
}
