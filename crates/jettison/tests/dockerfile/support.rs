//! A context, a store and the real binary, of root or of an ordinary user; a
//! base made of the machine's static busybox.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Mutex, MutexGuard, OnceLock};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// The user with subordinate ids, made for these tests.
const NAME: &str = "jettison-test-build";
const USER: u32 = 54_323;
/// Nobody's: no name, no subordinate ids.
pub(crate) const STRANGER: u32 = 54_998;

const PASSWD: &str = "\
root:x:0:0:root:/root:/bin/sh
app:x:1000:1000:App:/home/app:/bin/sh
other:x:1001:1002:Other:/home/other:/bin/sh
";
const GROUP: &str = "root:x:0:\napp:x:1000:\nteam:x:1002:other\n";

/// A context `app`, a store and a base that end with this value.
pub(crate) struct Bench {
    folder: TempDir,
    user: Option<u32>,
    _account: Option<Account>,
}

/// How a run ended.
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// The user, for as long as a test needs it.
struct Account {
    _alone: MutexGuard<'static, ()>,
}

impl Account {
    fn new() -> Self {
        static ALONE: Mutex<()> = Mutex::new(());
        let alone = ALONE.lock().unwrap_or_else(|e| e.into_inner());
        let id = USER.to_string();
        let made = Command::new("useradd")
            .args(["--no-create-home", "--uid", &id, NAME])
            .output();
        made.unwrap();
        Self { _alone: alone }
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        let _ = Command::new("userdel").arg(NAME).output();
    }
}

impl Bench {
    /// Root's; none, said aloud, where this is not root or has no busybox.
    pub(crate) fn root() -> Option<Self> {
        Self::new(None, None)
    }

    /// An ordinary user's with subordinate ids.
    pub(crate) fn user() -> Option<Self> {
        if !have("newuidmap") || !have("useradd") || !have("setpriv") {
            return None;
        }
        Self::new(Some(USER), Some(Account::new()))
    }

    /// An ordinary user's without.
    pub(crate) fn stranger() -> Option<Self> {
        have("setpriv").then(|| Self::new(Some(STRANGER), None))?
    }

    /// One of root's and one of a user's, as far as there are such.
    pub(crate) fn both() -> impl Iterator<Item = Self> {
        let kinds: [fn() -> Option<Self>; 2] = [Self::root, Self::user];
        kinds.into_iter().filter_map(|kind| kind())
    }

    fn new(user: Option<u32>, account: Option<Account>) -> Option<Self> {
        if !have("busybox") {
            return None;
        }
        if fs::metadata("/proc/self").unwrap().uid() != 0 {
            println!("skipped: not root, who alone becomes another user");
            return None;
        }
        let bench = Self::bare(user, account);
        let copied = Command::new("cp")
            .arg("-r")
            .arg(base())
            .arg(bench.path("base"))
            .status();
        assert!(copied.unwrap().success());
        Some(bench)
    }

    fn bare(user: Option<u32>, account: Option<Account>) -> Self {
        let folder = tempfile::Builder::new()
            .prefix("dockerfile-")
            .tempdir()
            .unwrap();
        let bench = Self {
            folder,
            user,
            _account: account,
        };
        // The build directory may be closed to others.
        let program = env!("CARGO_BIN_EXE_jettison");
        if fs::hard_link(program, bench.path("jettison")).is_err() {
            fs::copy(program, bench.path("jettison")).unwrap();
        }
        fs::create_dir(bench.path("app")).unwrap();
        for name in ["", "app"] {
            chown(bench.path(name), user, user).unwrap();
        }
        bench
    }

    /// Unique to this bench, and in the environment of what it starts.
    pub(crate) fn mark(&self) -> String {
        let name = self.folder.path().file_name().unwrap();
        name.to_string_lossy().into_owned()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file of the context.
    pub(crate) fn file(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.path("app").join(name);
        fs::write(&path, content).unwrap();
        chown(path, self.user, self.user).unwrap();
    }

    /// Writes the Dockerfile; `MARK` in it becomes this bench's.
    pub(crate) fn dockerfile(&self, text: &str) {
        self.file("Dockerfile", text.replace("MARK", &self.mark()));
    }

    /// The binary, with this store.
    pub(crate) fn jettison(&self, arguments: &[&str]) -> Command {
        let mut command = match self.user {
            None => Command::new(self.path("jettison")),
            Some(id) => {
                let id = id.to_string();
                let mut command = Command::new("setpriv");
                command
                    .args(["--reuid", &id, "--regid", &id, "--clear-groups"])
                    .arg("--inh-caps=-all")
                    .arg(self.path("jettison"));
                command
            }
        };
        command
            .args(arguments)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("HOME", self.folder.path())
            .env("JETTISON_STORE", self.path("store"))
            .env("DOCKER_HOST", "unix:///nonexistent/engine.sock")
            .env("SOURCE_DATE_EPOCH", "1700000000")
            .current_dir(self.folder.path())
            .stdin(Stdio::null());
        command
    }

    /// `jettison build` of the context, on the base.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.jettison(&["build", "app"]);
        let base = format!("base=oci-layout://{}", self.path("base").display());
        command.arg("--build-context").arg(base).args(arguments);
        command
    }

    pub(crate) fn build(&self, arguments: &[&str]) -> Ran {
        ran(&mut self.command(arguments))
    }

    /// The document of a build that ended well and was not slimmed.
    #[track_caller]
    pub(crate) fn document(&self, arguments: &[&str]) -> Value {
        document(
            self.command(&["--no-slim", "--format", "json"])
                .args(arguments),
        )
    }

    /// The digest of what was built.
    #[track_caller]
    pub(crate) fn digest(&self, arguments: &[&str]) -> String {
        let document = self.document(arguments);
        document["manifest"].as_str().unwrap().to_owned()
    }

    pub(crate) fn ran(&self, arguments: &[&str]) -> Ran {
        ran(&mut self.jettison(arguments))
    }

    /// Starts a build and throws away what it says.
    pub(crate) fn start(&self, arguments: &[&str]) -> Child {
        let mut command = self.command(&["--no-slim"]);
        command.args(arguments);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().unwrap()
    }

    /// The names in a folder of the store.
    pub(crate) fn names(&self, folder: &str) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.path("store").join(folder)) else {
            return Vec::new();
        };
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.collect();
        names.sort();
        names
    }

    /// Waits for the end of everything that a build began.
    #[track_caller]
    pub(crate) fn all_gone(&self) {
        let until = Instant::now() + Duration::from_secs(5);
        loop {
            let left = self.processes();
            if left.is_empty() {
                break;
            }
            assert!(Instant::now() < until, "processes are left: {left:?}");
            std::thread::sleep(Duration::from_millis(10));
        }
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
        let own = mounts.lines().filter(|line| {
            let place = line.split(' ').nth(4).unwrap_or_default();
            place.contains(&self.mark()) && !place.ends_with("/store")
        });
        assert_eq!(own.collect::<Vec<_>>(), [""; 0], "something is mounted");
    }

    /// The command lines of processes that speak of this bench.
    pub(crate) fn processes(&self) -> Vec<String> {
        let mark = self.mark();
        let mut found = Vec::new();
        for entry in fs::read_dir("/proc").unwrap().flatten() {
            let read = |name: &str| {
                let bytes = fs::read(entry.path().join(name)).unwrap_or_default();
                String::from_utf8_lossy(&bytes).into_owned()
            };
            let line = read("cmdline");
            if line.contains(&mark) || read("environ").contains(&mark) {
                found.push(line.replace('\0', " "));
            }
        }
        found
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        // Builds take away nothing while a test is unwinding.
        let _ = fs::remove_dir_all(self.folder.path());
    }
}

/// An OCI layout with busybox and some users, made once.
fn base() -> &'static Path {
    static BASE: OnceLock<PathBuf> = OnceLock::new();
    BASE.get_or_init(|| {
        let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join("dockerfile-base");
        let _ = fs::remove_dir_all(&place);
        let bench = Bench::bare(None, None);
        fs::copy(find("busybox").unwrap(), bench.path("app/busybox")).unwrap();
        let runnable = fs::Permissions::from_mode(0o755);
        fs::set_permissions(bench.path("app/busybox"), runnable).unwrap();
        bench.file("passwd", PASSWD);
        bench.file("group", GROUP);
        bench.dockerfile(
            "FROM scratch\n\
             COPY busybox /bin/busybox\n\
             COPY --chmod=644 passwd group /etc/\n\
             RUN [\"/bin/busybox\", \"--install\", \"-s\", \"/bin\"]\n\
             RUN mkdir -m 1777 /tmp && mkdir -p /home/app && chown app /home/app\n\
             ENV PATH=/bin\n",
        );
        let to = format!("oci:{}", place.display());
        let made = ran(&mut bench.jettison(&["build", "app", "--no-slim", "-o", &to]));
        assert_eq!(made.code, Some(0), "{}", made.text());
        place
    })
}

impl Ran {
    pub(crate) fn text(&self) -> String {
        format!("{}\n{}", self.stdout, self.stderr)
    }

    /// Ended with `code`, and says all of these.
    #[track_caller]
    pub(crate) fn says(&self, code: i32, words: &[&str]) {
        let text = self.text();
        assert_eq!(self.code, Some(code), "{text}");
        for word in words {
            assert!(text.contains(word), "no `{word}` in\n{text}");
        }
    }
}

pub(crate) fn ran(command: &mut Command) -> Ran {
    of(command.output().unwrap())
}

fn of(output: Output) -> Ran {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let ran = Ran {
        code: output.status.code(),
        stdout: text(&output.stdout),
        stderr: text(&output.stderr),
    };
    assert!(!ran.text().contains("panicked at"), "{}", ran.text());
    ran
}

/// Runs commands at once; those that do not end are ended.
pub(crate) fn at_once(commands: Vec<Command>) -> Vec<Ran> {
    let children = commands.into_iter().map(|mut command| {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().unwrap()
    });
    let children: Vec<Child> = children.collect();
    let until = Instant::now() + Duration::from_secs(40);
    let ended = children.into_iter().map(|mut child| {
        while child.try_wait().unwrap().is_none() && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = child.kill();
        of(child.wait_with_output().unwrap())
    });
    ended.collect()
}

#[track_caller]
pub(crate) fn document(command: &mut Command) -> Value {
    let ran = ran(command);
    assert_eq!(ran.code, Some(0), "{}", ran.text());
    serde_json::from_str(&ran.stdout).unwrap()
}

/// The output of another program, which must end well.
#[track_caller]
pub(crate) fn output(program: &str, arguments: &[&str]) -> String {
    let ran = ran(Command::new(program).args(arguments));
    assert_eq!(ran.code, Some(0), "{program} {arguments:?}: {}", ran.text());
    ran.stdout
}

/// Waits until something is true.
#[track_caller]
pub(crate) fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(20);
    while !is_so() {
        assert!(Instant::now() < until, "never: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join(program))
        .find(|path| path.is_file())
}

/// True when the program is there; says so aloud when not.
pub(crate) fn have(program: &str) -> bool {
    let found = find(program).is_some();
    if !found {
        println!("skipped: no {program} on the PATH");
    }
    found
}

/// The only layer that a file of an image in a layout can be in: the last.
#[track_caller]
pub(crate) fn last_layer(layout: &Path) -> PathBuf {
    let blob = |digest: &str| {
        let hex = digest.strip_prefix("sha256:").unwrap();
        layout.join("blobs/sha256").join(hex)
    };
    let read =
        |path: PathBuf| -> Value { serde_json::from_slice(&fs::read(path).unwrap()).unwrap() };
    let index = read(layout.join("index.json"));
    let mut value = read(blob(index["manifests"][0]["digest"].as_str().unwrap()));
    if let Some(digest) = value["manifests"][0]["digest"].as_str() {
        value = read(blob(digest));
    }
    let layers = value["layers"].as_array().unwrap();
    blob(layers.last().unwrap()["digest"].as_str().unwrap())
}
