//! The loader's closure, held against the loaders themselves: glibc's over
//! the machine's programs and libraries, and built cases of both C libraries.

mod host;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use host::Host;
use jettison_closure::How;
use jettison_closure::loader::{Loaded, Loader};
use jettison_image::{Follow, ImagePath};

const GLIBC: &str = "/lib64/ld-linux-x86-64.so.2";
/// Programs and libraries that are compared: an even sample, for the time it takes.
const MOST_COMPARED: usize = 400;

/// Files about which glibc's loader says something else, with the reason.
const EXPLAINED: &[(&str, &str)] = &[];

/// Files loaded, links followed, and names not found.
#[derive(Debug, Default, PartialEq, Eq)]
struct Answer {
    loaded: BTreeSet<PathBuf>,
    missing: BTreeSet<String>,
}

/// What `ldd` prints, asked of the loader itself; none when it refuses.
fn by_loader(loader: &str, file: &Path, environment: &[(&str, &str)]) -> Option<Answer> {
    let output = Command::new(loader)
        .args(if loader == GLIBC {
            &[][..]
        } else {
            &["--list"]
        })
        .arg(file)
        .env_clear()
        .env("LD_TRACE_LOADED_OBJECTS", "1")
        .envs(environment.iter().copied())
        .output()
        .ok()?;
    let mut answer = Answer::default();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let line = line.trim();
        let name = line.split_whitespace().next().unwrap_or_default();
        let place = match line.split_once(" => ") {
            Some((_, "not found")) => {
                answer.missing.insert(name.to_owned());
                continue;
            }
            Some((_, place)) => place.split(" (0x").next().unwrap_or_default(),
            None => line.split(" (0x").next().unwrap_or_default(),
        };
        if place.starts_with('/') {
            answer
                .loaded
                .insert(fs::canonicalize(place).unwrap_or_else(|_| place.into()));
        }
    }
    let errors = String::from_utf8_lossy(&output.stderr);
    for line in errors.lines() {
        // musl: `Error loading shared library libx.so: No such file or directory (needed by …)`.
        if let Some(rest) = line.strip_prefix("Error loading shared library ") {
            answer
                .missing
                .insert(rest.split(':').next().unwrap_or_default().to_owned());
        }
    }
    let refused = !output.status.success() && answer.missing.is_empty();
    (!refused).then_some(answer)
}

fn by_closure<'a>(host: &'a Host, loader: &Loader<'a>, file: &Path) -> Answer {
    let node = host
        .tree
        .resolve(file.as_os_str().as_encoded_bytes(), Follow::All)
        .expect("in the tree");
    let loaded = loader.closure(node);
    let mut answer = Answer::default();
    for (_, edge) in &loaded.edges {
        if matches!(edge.how, How::Loads | How::Interpreter)
            && !edge
                .to
                .as_bytes()
                .windows(14)
                .any(|w| w == b"/glibc-hwcaps/")
            && !edge.detail.ends_with("by a path through it")
        {
            let node = host
                .tree
                .resolve(edge.to.as_bytes(), Follow::All)
                .expect("is there");
            answer
                .loaded
                .insert(Path::new("/").join(node.path().display().to_string()));
        }
    }
    answer
        .missing
        .extend(loaded.missing.into_iter().map(|(_, name)| name));
    answer
}

fn is_elf(path: &Path) -> bool {
    use std::io::Read as _;
    let mut head = [0; 4];
    fs::File::open(path)
        .and_then(|mut file| file.read_exact(&mut head))
        .is_ok()
        && head == *b"\x7fELF"
}

#[test]
fn the_machines_programs_and_libraries_load_what_glibc_says() {
    if !Path::new(GLIBC).exists() {
        println!("skipped: {GLIBC} is not here");
        return;
    }
    let host = Host::system();
    let mut files = BTreeSet::new();
    for node in host.tree.iter().filter(|node| node.is_file()) {
        let path = format!("/{}", String::from_utf8_lossy(node.path().as_bytes()));
        let in_scope = path.starts_with("/usr/bin/")
            || path.starts_with("/usr/sbin/")
            || (path.starts_with("/usr/lib/") && path.contains(".so"));
        if in_scope && is_elf(Path::new(&path)) {
            files.insert(PathBuf::from(path));
        }
    }
    let step = files.len().div_ceil(MOST_COMPARED).max(1);
    let files: Vec<_> = files.into_iter().step_by(step).collect();
    let world = host.world();
    let loader = Loader::new(&world);
    let disagreements = Mutex::new(Vec::new());
    let compared = Mutex::new(0);
    std::thread::scope(|scope| {
        for half in 0..2 {
            let (files, host, loader) = (&files, &host, &loader);
            let (disagreements, compared) = (&disagreements, &compared);
            scope.spawn(move || {
                for file in files.iter().skip(half).step_by(2) {
                    let Some(expected) = by_loader(GLIBC, file, &[]) else {
                        continue;
                    };
                    *compared.lock().expect("not poisoned") += 1;
                    if let Some(difference) = difference(host, loader, file, &expected) {
                        disagreements.lock().expect("not poisoned").push(difference);
                    }
                }
            });
        }
    });
    let disagreements = disagreements.into_inner().expect("not poisoned");
    let compared = compared.into_inner().expect("not poisoned");
    println!("compared {compared} files");
    assert!(compared > 100, "{compared} files compared");
    assert!(
        disagreements.is_empty(),
        "{} of {compared} files:\n{}",
        disagreements.len(),
        disagreements.join("\n")
    );
}

fn difference<'a>(
    host: &'a Host,
    loader: &Loader<'a>,
    file: &Path,
    expected: &Answer,
) -> Option<String> {
    let mut found = by_closure(host, loader, file);
    // The loader lists itself only where something loads it by name.
    let own = fs::canonicalize(GLIBC).expect("is there");
    if !expected.loaded.contains(&own) {
        found.loaded.remove(&own);
    }
    if found == *expected || EXPLAINED.iter().any(|(path, _)| file.ends_with(path)) {
        return None;
    }
    let only = |one: &Answer, other: &Answer| {
        format!(
            "{:?} {:?}",
            one.loaded.difference(&other.loaded).collect::<Vec<_>>(),
            one.missing.difference(&other.missing).collect::<Vec<_>>()
        )
    };
    Some(format!(
        "{}\n  glibc only: {}\n  closure only: {}",
        file.display(),
        only(expected, &found),
        only(&found, expected)
    ))
}

/// A shared object of a built case: its path, what it links, and options.
struct Built {
    path: &'static str,
    needs: &'static [&'static str],
    options: &'static [&'static str],
}

/// What is shown, the objects, the environment (`ROOT` is the case's directory).
type Case = (
    &'static str,
    &'static [Built],
    &'static [(&'static str, &'static str)],
);

/// Search paths in every form; the first is the program. What is linked is
/// found by the compiler in whichever directory it lies.
const CASES: &[Case] = &[
    (
        "rpath is inherited, also by what has none",
        &[
            Built {
                path: "bin/program",
                needs: &["a"],
                options: &["-Wl,--disable-new-dtags,-rpath,$ORIGIN/../lib:$ORIGIN/../deep"],
            },
            Built {
                path: "lib/liba.so",
                needs: &["b"],
                options: &[],
            },
            Built {
                path: "deep/libb.so",
                needs: &[],
                options: &[],
            },
        ],
        &[],
    ),
    (
        "runpath is not inherited",
        &[
            Built {
                path: "bin/program",
                needs: &["a"],
                options: &["-Wl,--enable-new-dtags,-rpath,$ORIGIN/../lib:$ORIGIN/../deep"],
            },
            Built {
                path: "lib/liba.so",
                needs: &["b"],
                options: &[],
            },
            Built {
                path: "deep/libb.so",
                needs: &[],
                options: &[],
            },
        ],
        &[],
    ),
    (
        "a runpath ends the inheritance of the rpath above it",
        &[
            Built {
                path: "bin/program",
                needs: &["a"],
                options: &["-Wl,--disable-new-dtags,-rpath,$ORIGIN/../lib:$ORIGIN/../deep"],
            },
            Built {
                path: "lib/liba.so",
                needs: &["b"],
                options: &["-Wl,--enable-new-dtags,-rpath,$ORIGIN/none"],
            },
            Built {
                path: "deep/libb.so",
                needs: &[],
                options: &[],
            },
        ],
        &[],
    ),
    (
        "each object has its own origin",
        &[
            Built {
                path: "bin/program",
                needs: &["a"],
                options: &["-Wl,--enable-new-dtags,-rpath,${ORIGIN}/../one"],
            },
            Built {
                path: "one/liba.so",
                needs: &["b"],
                options: &["-Wl,--enable-new-dtags,-rpath,$ORIGIN/two"],
            },
            Built {
                path: "one/two/libb.so",
                needs: &["c"],
                options: &["-Wl,--enable-new-dtags,-rpath,$ORIGIN/../three"],
            },
            Built {
                path: "one/three/libc_of_ours.so",
                needs: &[],
                options: &[],
            },
        ],
        &[],
    ),
    (
        "the library path comes before the runpath and behind the rpath",
        &[
            Built {
                path: "bin/program",
                needs: &["a", "b"],
                options: &["-Wl,--enable-new-dtags,-rpath,$ORIGIN/../lib"],
            },
            Built {
                path: "lib/liba.so",
                needs: &[],
                options: &[],
            },
            Built {
                path: "lib/libb.so",
                needs: &[],
                options: &[],
            },
            Built {
                path: "other/liba.so",
                needs: &["b"],
                options: &["-Wl,--disable-new-dtags,-rpath,$ORIGIN"],
            },
            Built {
                path: "other/libb.so",
                needs: &[],
                options: &[],
            },
        ],
        &[("LD_LIBRARY_PATH", "ROOT/none:ROOT/other")],
    ),
    (
        "a name once loaded serves everyone; what is preloaded comes first",
        &[
            Built {
                path: "bin/program",
                needs: &["a"],
                options: &["-Wl,--enable-new-dtags,-rpath,$ORIGIN/../lib"],
            },
            Built {
                path: "lib/liba.so",
                needs: &["b"],
                options: &["-Wl,--enable-new-dtags,-rpath,$ORIGIN"],
            },
            Built {
                path: "lib/libb.so",
                needs: &[],
                options: &[],
            },
            Built {
                path: "pre/libb.so",
                needs: &[],
                options: &["-Wl,-soname,libb.so"],
            },
        ],
        &[("LD_PRELOAD", "ROOT/pre/libb.so")],
    ),
    (
        "a cycle ends",
        &[
            Built {
                path: "bin/program",
                needs: &["a"],
                options: &["-Wl,--disable-new-dtags,-rpath,$ORIGIN/../lib"],
            },
            Built {
                path: "lib/liba.so",
                needs: &["b"],
                options: &[],
            },
            Built {
                path: "lib/libb.so",
                needs: &["a"],
                options: &[],
            },
        ],
        &[],
    ),
    (
        "nodeflib keeps out of the default directories",
        &[
            Built {
                path: "bin/program",
                needs: &["a"],
                options: &[
                    "-Wl,--enable-new-dtags,-rpath,$ORIGIN/../lib:$ORIGIN/../deep",
                    "-Wl,-z,nodefaultlib",
                ],
            },
            Built {
                path: "lib/liba.so",
                needs: &[],
                options: &[],
            },
        ],
        &[],
    ),
];

/// Builds a case below a directory.
fn build(compiler: &str, root: &Path, parts: &[Built]) {
    let run = |arguments: &[String]| {
        let output = Command::new(compiler)
            .args(arguments)
            .output()
            .expect("a compiler");
        assert!(
            output.status.success(),
            "{arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    };
    fs::write(root.join("empty.c"), "").expect("written");
    fs::write(root.join("main.c"), "int main(void) { return 0; }").expect("written");
    let name_of = |need: &str| {
        if need == "c" {
            "libc_of_ours.so".into()
        } else {
            format!("lib{need}.so")
        }
    };
    // The linker wants something of that name; what is found later is another matter.
    let links = root.join("links");
    fs::create_dir_all(&links).expect("made");
    for name in ["a", "b", "c"].map(name_of) {
        run(&["-shared", "-fPIC", "-o"]
            .map(str::to_owned)
            .into_iter()
            .chain([
                links.join(&name).display().to_string(),
                root.join("empty.c").display().to_string(),
                format!("-Wl,-soname,{name}"),
            ])
            .collect::<Vec<_>>());
    }
    for part in parts {
        let path = root.join(part.path);
        fs::create_dir_all(path.parent().expect("a directory")).expect("made");
        let is_program = part.path == "bin/program";
        let source = if is_program { "main.c" } else { "empty.c" };
        let mut arguments = vec![
            "-o".to_owned(),
            path.display().to_string(),
            root.join(source).display().to_string(),
        ];
        if !is_program {
            arguments.extend(["-shared", "-fPIC"].map(str::to_owned));
            let name = path.file_name().expect("a name").to_string_lossy();
            arguments.push(format!("-Wl,-soname,{name}"));
        }
        arguments.extend(part.options.iter().map(|&option| option.to_owned()));
        arguments.push("-Wl,--no-as-needed,--allow-shlib-undefined".into());
        arguments.extend(
            part.needs
                .iter()
                .map(|need| links.join(name_of(need)).display().to_string()),
        );
        run(&arguments);
    }
    fs::remove_dir_all(&links).expect("removed");
}

#[expect(clippy::print_stdout, reason = "what is skipped is said aloud")]
fn cases_agree(compiler: &str, oracle: &str) {
    if !Path::new(oracle).exists() || Command::new(compiler).arg("--version").output().is_err() {
        println!("skipped: no {compiler} or no {oracle}");
        return;
    }
    for (what, parts, environment) in CASES {
        let scratch = tempfile::tempdir().expect("a directory");
        let root = fs::canonicalize(scratch.path()).expect("a path");
        build(compiler, &root, parts);
        let environment: Vec<(String, String)> = environment
            .iter()
            .map(|(name, value)| {
                (
                    name.to_string(),
                    value.replace("ROOT", &root.display().to_string()),
                )
            })
            .collect();
        let borrowed: Vec<(&str, &str)> = environment
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        let program = root.join("bin/program");
        let own = root.display().to_string();
        let mut host = Host::of(
            Path::new("/"),
            &[
                "/lib",
                "/lib64",
                "/usr/lib/x86_64-linux-gnu",
                "/usr/lib/x86_64-linux-musl",
                "/usr/lib/ld-musl-x86_64.so.1",
                "/usr/lib64",
                "/etc",
                &own,
            ],
        );
        host.environment = environment.iter().cloned().collect();
        let world = host.world();
        let mut found = by_closure(&host, &Loader::new(&world), &program);
        let mut expected = by_loader(oracle, &program, &borrowed).expect("an answer");
        // Each loader shows itself in its own way, or not at all.
        for answer in [&mut found, &mut expected] {
            answer
                .loaded
                .retain(|path| path.starts_with(&root) || path.ends_with("libc.so.6"));
        }
        assert_eq!(found, expected, "{what}");
    }
}

#[test]
fn built_cases_load_what_glibc_says() {
    cases_agree("gcc", GLIBC);
}

#[test]
fn built_cases_load_what_musl_says() {
    cases_agree("musl-gcc", "/lib/ld-musl-x86_64.so.1");
}

/// Who loads what, as text.
fn lines(loaded: &Loaded) -> Vec<String> {
    loaded
        .edges
        .iter()
        .map(|(by, edge)| {
            format!(
                "{} {:?} {} ({})",
                by.display(),
                edge.how,
                edge.to.display(),
                edge.detail
            )
        })
        .collect()
}

#[test]
fn a_plugin_sees_its_program_and_variants_for_processors_are_kept() {
    if !Path::new(GLIBC).exists() || Command::new("gcc").arg("--version").output().is_err() {
        println!("skipped: no gcc or no {GLIBC}");
        return;
    }
    let scratch = tempfile::tempdir().expect("a directory");
    let root = fs::canonicalize(scratch.path()).expect("a path");
    build(
        "gcc",
        &root,
        &[
            Built {
                path: "bin/program",
                needs: &[],
                options: &["-Wl,--disable-new-dtags,-rpath,$ORIGIN/../lib"],
            },
            Built {
                path: "plugins/plugin.so",
                needs: &["a"],
                options: &[],
            },
            Built {
                path: "lib/liba.so",
                needs: &[],
                options: &[],
            },
            Built {
                path: "lib/glibc-hwcaps/x86-64-v3/liba.so",
                needs: &["b"],
                options: &[],
            },
            Built {
                path: "lib/libb.so",
                needs: &[],
                options: &[],
            },
        ],
    );
    let image = Host::of(&root, &["/bin", "/plugins", "/lib"]);
    let world = image.world();
    let loader = Loader::new(&world);
    let node = |path: &str| image.tree.get(path).expect("is there");
    let loaded = loader.plugin(node("bin/program"), node("plugins/plugin.so"));
    assert_eq!(
        lines(&loaded),
        [
            "/plugins/plugin.so Loads /lib/glibc-hwcaps/x86-64-v3/liba.so (loads liba.so on certain processors)",
            "/plugins/plugin.so Loads /lib/liba.so (loads liba.so)",
            "/lib/glibc-hwcaps/x86-64-v3/liba.so Loads /lib/libb.so (loads libb.so)",
        ]
    );
    // No C library in this image.
    assert!(
        loaded.missing.iter().all(|(_, name)| name == "libc.so.6"),
        "{loaded:?}"
    );
    let alone = loader.closure(node("plugins/plugin.so"));
    assert_eq!(
        lines(&alone)[1],
        "/plugins/plugin.so Loads /lib/liba.so (loads liba.so)"
    );
    let found = loader.find(node("bin/program"), b"libb.so");
    assert_eq!(found, [ImagePath::new("lib/libb.so").expect("a path")]);
    assert!(loader.find(node("bin/program"), b"libz.so.1").is_empty());
}

#[test]
fn mutated_objects_end() {
    let Ok(original) = fs::read("/usr/bin/env") else {
        println!("skipped: no /usr/bin/env");
        return;
    };
    let scratch = tempfile::tempdir().expect("a directory");
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for round in 0..300 {
        let mut bytes = original.clone();
        for _ in 0..=round % 40 {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let at = (state >> 33) as usize
                % if round % 2 == 0 {
                    4096.min(bytes.len())
                } else {
                    bytes.len()
                };
            bytes[at] = (state >> 20) as u8;
        }
        bytes.truncate(bytes.len() - round * 7);
        fs::write(scratch.path().join("program"), bytes).expect("written");
        let image = Host::of(scratch.path(), &["/program"]);
        Loader::new(&image.world()).closure(image.tree.get("program").expect("is there"));
    }
}
