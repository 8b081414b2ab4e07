//! What the tests need beside a Rust toolchain: one table, and how it comes onto a Debian machine.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::processes::Foreground;
use crate::{Problem, workspace};

/// A Debian package that some tests need.
struct Need {
    package: &'static str,
    /// The program that shows that it is there, however it came.
    program: &'static str,
    why: &'static str,
    tests: &'static str,
}

const NEEDS: &[Need] = &[
    Need {
        package: "docker.io",
        program: "dockerd",
        why: "the engine that our images are for",
        tests: "load, save and run of built images; docker-daemon: transport",
    },
    Need {
        package: "docker-registry",
        program: "docker-registry",
        why: "the reference registry",
        tests: "docker:// transport: upload, mount, authentication",
    },
    Need {
        package: "skopeo",
        program: "skopeo",
        why: "a second reader and writer of every transport",
        tests: "layouts and archives read and written by both",
    },
    Need {
        package: "buildah",
        program: "buildah",
        why: "images with opaque directories and whiteouts of another maker",
        tests: "the merged tree",
    },
    Need {
        package: "podman",
        program: "podman",
        why: "the other engine that answers Docker's API",
        tests: "load into and read from podman's service",
    },
    Need {
        package: "apache2-utils",
        program: "htpasswd",
        why: "a registry's own list of users",
        tests: "docker:// transport: passwords, credential helpers",
    },
    Need {
        package: "zstd",
        program: "zstd",
        why: "an independent maker of zstd",
        tests: "archives that are packed as a whole",
    },
    Need {
        package: "postgresql",
        program: "postgres",
        why: "a real service over TLS",
        tests: "the Go service with a database; run with --service",
    },
    Need {
        package: "openssh-server",
        program: "sshd",
        why: "git over ssh, and an agent's keys",
        tests: "build --ssh",
    },
    Need {
        package: "uidmap",
        program: "newuidmap",
        why: "subordinate user ids",
        tests: "the sandbox as an ordinary user",
    },
    Need {
        package: "busybox-static",
        program: "busybox",
        why: "a whole user land in one static file",
        tests: "root file systems to run; the shell of run --debug",
    },
    Need {
        package: "binutils",
        program: "readelf",
        why: "an independent reader of ELF files",
        tests: "the closure's ELF facts",
    },
    Need {
        package: "mmdebstrap",
        program: "mmdebstrap",
        why: "a base image where no public registry is in reach",
        tests: "the cases: real images, slimmed and asked",
    },
    Need {
        package: "curl",
        program: "curl",
        why: "requests by another client than jettison's own",
        tests: "the cases: real images, slimmed and asked",
    },
    Need {
        package: "openssl",
        program: "openssl",
        why: "certificates of an authority of the tests' own",
        tests: "the cases: real images, slimmed and asked",
    },
    Need {
        package: "gnupg",
        program: "gpg",
        why: "an independent maker of signatures",
        tests: "signed Release files, good and bad",
    },
    Need {
        package: "gpgv",
        program: "gpgv",
        why: "the verifier that apt itself uses",
        tests: "signed Release files, good and bad",
    },
];

/// Installs what is missing where that is possible, and answers what could not be had and why.
pub(crate) fn provide(may_install: bool) -> Result<Vec<String>, Problem> {
    let obstacle = if !may_install {
        Some("installing was not wanted")
    } else if workspace::find_program("apt-get").is_none() {
        Some("no apt-get on this machine")
    } else if !nix::unistd::geteuid().is_root() {
        Some("not root")
    } else {
        None
    };
    if obstacle.is_none() {
        // Signed lists of real packages are test data, too.
        if !has_lists() {
            apt(&["update"])?;
        }
        let missing: Vec<&str> = missing().map(|need| need.package).collect();
        if !missing.is_empty() {
            install(&missing)?;
        }
    }
    let reason = obstacle.unwrap_or("the package could not be installed");
    Ok(missing()
        .map(|need| {
            format!(
                "{} ({reason}): {}; for {}",
                need.package, need.why, need.tests
            )
        })
        .collect())
}

/// The folder of PostgreSQL's own programs, which Debian keeps off the PATH, newest version first.
pub(crate) fn postgres_bin() -> Option<PathBuf> {
    let mut versions: Vec<(u32, PathBuf)> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let version = entry.file_name().to_str()?.parse().ok()?;
            Some((version, entry.path().join("bin")))
        })
        .collect();
    versions.sort();
    let on_path = workspace::find_program("postgres")
        .and_then(|program| program.parent().map(Path::to_path_buf));
    versions
        .into_iter()
        .rev()
        .map(|(_, bin)| bin)
        .chain(on_path)
        .find(|bin| {
            ["initdb", "pg_ctl", "postgres"]
                .iter()
                .all(|program| bin.join(program).is_file())
        })
}

fn missing() -> impl Iterator<Item = &'static Need> {
    NEEDS.iter().filter(|need| !is_there(need))
}

fn is_there(need: &Need) -> bool {
    match need.program {
        "postgres" => postgres_bin().is_some(),
        program => workspace::find_program(program).is_some(),
    }
}

fn has_lists() -> bool {
    std::fs::read_dir("/var/lib/apt/lists").is_ok_and(|entries| {
        entries
            .flatten()
            .any(|entry| entry.file_name().to_string_lossy().ends_with("Release"))
    })
}

fn install(packages: &[&str]) -> Result<(), Problem> {
    println!("installing {}", packages.join(" "));
    if apt_install(packages)? {
        return Ok(());
    }
    // A fresh machine has no lists, an old one has lists of packages that are gone.
    apt(&["update"])?;
    if apt_install(packages)? {
        return Ok(());
    }
    // One that is not to be had must not take the others with it.
    for package in packages {
        apt_install(&[*package])?;
    }
    Ok(())
}

fn apt_install(packages: &[&str]) -> Result<bool, Problem> {
    let mut arguments = vec!["install", "--yes", "--no-install-recommends"];
    arguments.extend(packages);
    apt(&arguments)
}

fn apt(arguments: &[&str]) -> Result<bool, Problem> {
    let mut command = Command::new("apt-get");
    command
        .args([
            "-q",
            "-o",
            "DPkg::Lock::Timeout=120",
            "-o",
            "Acquire::Retries=3",
        ])
        .args(arguments)
        .env("DEBIAN_FRONTEND", "noninteractive")
        // Init scripts start nothing: what the tests need is started here, and stopped here.
        .env("RUNLEVEL", "1");
    Ok(Foreground::start(&mut command)?.wait()?.success())
}
