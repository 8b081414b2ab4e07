//! The container that an image's config and a person's words ask for.

use std::ffi::OsString;

use jettison_image::RunConfig;
use jettison_sandbox::{ContainerSpec, Mount, MountSource, Profile};

use super::container::limits;
use crate::surroundings::Surroundings;

/// Room in the `/tmp` of a container whose root is read-only.
const TMP_BYTES: u64 = 256 << 20;

/// The specification of a container in its surroundings, companions aside.
pub(crate) fn container_spec(
    run: &RunConfig,
    profile: Profile,
    surroundings: &Surroundings,
) -> ContainerSpec {
    let mut with_env = run.clone();
    for (name, value) in &surroundings.env {
        with_env.set_env(name, value);
    }
    ContainerSpec {
        args: run.argv().iter().map(OsString::from).collect(),
        env: with_env.env.iter().map(OsString::from).collect(),
        user: run.user.clone(),
        working_dir: run.working_dir.clone().into(),
        hosts: surroundings
            .hosts
            .iter()
            .map(|host| (host.name.clone(), host.address))
            .collect(),
        mounts: mounts(run, &profile, surroundings),
        limits: limits(surroundings.memory_bytes, surroundings.processes),
        profile,
        ..ContainerSpec::default()
    }
}

/// A writable `/tmp` for a program on a read-only root, the image's volumes,
/// and copies of the person's own.
fn mounts(run: &RunConfig, profile: &Profile, surroundings: &Surroundings) -> Vec<Mount> {
    let mut mounts = Vec::new();
    if profile.read_only_root {
        // As `docker run --read-only --tmpfs /tmp`; deployments give the same.
        let source = MountSource::Tmpfs {
            size_bytes: TMP_BYTES,
            mode: 0o1777,
        };
        mounts.push(Mount {
            source,
            target: "/tmp".into(),
            read_only: false,
        });
    }
    mounts.extend(run.volumes.iter().map(|path| Mount {
        source: MountSource::ImageVolume,
        target: path.into(),
        read_only: false,
    }));
    mounts.extend(surroundings.volumes.iter().map(|volume| Mount {
        source: MountSource::HostCopy(volume.host.clone()),
        target: volume.path.clone().into(),
        read_only: volume.read_only,
    }));
    mounts
}
