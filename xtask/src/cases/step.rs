//! One step of a check: something done to the container from outside, and what must come of it.

use serde::Deserialize;

/// What is done and expected, as `case.toml` has it.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "Written")]
pub(crate) struct Step {
    pub(crate) deed: Deed,
    pub(crate) expect: Expect,
}

/// A list of steps.
#[derive(Deserialize)]
#[serde(transparent)]
pub(crate) struct Steps(pub(crate) Vec<Step>);

/// What can be done to an image without a shell in it.
#[derive(Debug, Clone)]
pub(crate) enum Deed {
    /// `[METHOD] [https][:PORT]/PATH` at the published port.
    Http {
        line: String,
        headers: Vec<String>,
        body: Option<String>,
    },
    /// A program of the image in the running container.
    Exec {
        argv: Vec<String>,
        options: Vec<String>,
        stdin: Option<String>,
    },
    /// The image itself with these arguments, in a container of its own.
    Run {
        argv: Vec<String>,
        options: Vec<String>,
        stdin: Option<String>,
    },
    /// A signal to the container's first process.
    Signal(String),
    /// The container is asked to stop; its exit code is the outcome. It is started again afterwards.
    Stop,
    /// The container is removed and made anew on the same volumes.
    Restart,
    /// What the container has said so far.
    Log,
    /// Metadata and contents of paths of the image.
    Entries(Vec<String>),
}

/// What must come of it.
#[derive(Debug, Clone)]
pub(crate) struct Expect {
    /// An HTTP status or an exit code.
    pub(crate) outcome: i64,
    pub(crate) contains: Vec<String>,
    pub(crate) absent: Vec<String>,
    /// Whether the answer is what the original gave, byte for byte.
    pub(crate) same: bool,
    /// How long it may take to become so, in seconds.
    pub(crate) within: u64,
}

/// The keys as they stand in the file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Written {
    http: Option<String>,
    #[serde(default)]
    headers: Vec<String>,
    body: Option<String>,
    exec: Option<Vec<String>>,
    run: Option<Vec<String>>,
    #[serde(default)]
    options: Vec<String>,
    stdin: Option<String>,
    signal: Option<String>,
    stop: Option<i64>,
    restart: Option<bool>,
    log: Option<Texts>,
    entries: Option<Vec<String>>,
    status: Option<i64>,
    exit: Option<i64>,
    #[serde(default)]
    contains: Texts,
    #[serde(default)]
    absent: Texts,
    same: Option<bool>,
    #[serde(default)]
    within: u64,
}

/// One text or several.
#[derive(Default, Deserialize)]
#[serde(untagged)]
enum Texts {
    #[default]
    None,
    One(String),
    Several(Vec<String>),
}

impl Texts {
    fn into_list(self) -> Vec<String> {
        match self {
            Self::None => Vec::new(),
            Self::One(text) => vec![text],
            Self::Several(texts) => texts,
        }
    }
}

impl TryFrom<Written> for Step {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        let mut contains = written.contains.into_list();
        let (options, stdin) = (written.options, written.stdin);
        let mut deeds = Vec::new();
        let mut outcome = written.exit.or(written.status).unwrap_or(0);
        // What answers nothing that could be compared is not compared.
        let mut comparable = true;
        if let Some(line) = written.http {
            outcome = written.status.unwrap_or(200);
            deeds.push(Deed::Http {
                line,
                headers: written.headers,
                body: written.body,
            });
        }
        if let Some(argv) = written.exec {
            let (options, stdin) = (options.clone(), stdin.clone());
            deeds.push(Deed::Exec {
                argv,
                options,
                stdin,
            });
        }
        if let Some(argv) = written.run {
            deeds.push(Deed::Run {
                argv,
                options,
                stdin,
            });
        }
        if let Some(paths) = written.entries {
            deeds.push(Deed::Entries(paths));
        }
        if let Some(signal) = written.signal {
            comparable = false;
            deeds.push(Deed::Signal(signal));
        }
        if let Some(code) = written.stop {
            (comparable, outcome) = (false, code);
            deeds.push(Deed::Stop);
        }
        if written.restart == Some(true) {
            comparable = false;
            deeds.push(Deed::Restart);
        }
        if let Some(texts) = written.log {
            comparable = false;
            contains.extend(texts.into_list());
            deeds.push(Deed::Log);
        }
        let [deed] = <[Deed; 1]>::try_from(deeds).map_err(|deeds| {
            format!(
                "{} deeds, where one of http, exec, run, signal, stop, restart, log, entries is wanted",
                deeds.len()
            )
        })?;
        let absent = written.absent.into_list();
        let says_what = !contains.is_empty() || !absent.is_empty();
        Ok(Self {
            deed,
            expect: Expect {
                outcome,
                same: written.same.unwrap_or(comparable && !says_what),
                contains,
                absent,
                within: written.within,
            },
        })
    }
}
