//! Go programs: the linker drops what cannot be reached, so the functions that
//! are left say what the program may do.

use std::collections::BTreeSet;

use memchr::memmem;

use super::{Companion, Need, NeedState};
use crate::elf::ElfFile;
use crate::go::{GoBuild, GoFunctions, users};

/// One function whose presence means that a companion is asked for.
const FUNCTIONS: &[(Companion, &str)] = &[
    (Companion::TimeZones, "time.LoadLocation"),
    // These three read the system's table; the type of a served file is one use.
    (Companion::MimeTypes, "mime.TypeByExtension"),
    (Companion::MimeTypes, "mime.ExtensionsByType"),
    (Companion::MimeTypes, "mime.AddExtensionType"),
    (Companion::Users, "os/user.Current"),
    (Companion::Users, "os/user.Lookup"),
    (Companion::Users, "os/user.LookupId"),
    (Companion::Users, "os/user.LookupGroup"),
    (Companion::Users, "os/user.LookupGroupId"),
    (Companion::Temporary, "os.TempDir"),
    (Companion::Temporary, "os.CreateTemp"),
    (Companion::Temporary, "os.MkdirTemp"),
];

/// Files that a program may open by their names as well, and the package of the
/// standard library whose own naming them says nothing. The linker leaves out
/// texts that cannot be reached.
const NAMED: &[(Companion, &str, Option<&str>)] = &[
    (
        Companion::CaCertificates,
        "/etc/ssl/certs",
        Some("crypto/x509"),
    ),
    (Companion::MimeTypes, "/etc/mime.types", Some("mime")),
    (Companion::Users, "/etc/passwd", None),
    (Companion::Users, "/etc/group", None),
    (Companion::Temporary, "/tmp", None),
];

/// Packages that carry a companion inside the program.
const EMBEDDED: &[(Companion, &str)] = &[
    (Companion::TimeZones, "time/tzdata"),
    (
        Companion::CaCertificates,
        "golang.org/x/crypto/x509roots/fallback",
    ),
    (
        Companion::CaCertificates,
        "golang.org/x/crypto/x509roots/fallback/bundle",
    ),
    (Companion::CaCertificates, "github.com/breml/rootcerts"),
    (
        Companion::CaCertificates,
        "github.com/breml/rootcerts/embedded",
    ),
];

/// One way to trust a certificate, with those of its users that do not trust
/// the system's authorities.
struct Trust {
    function: &'static str,
    method_value: Option<&'static str>,
    /// Functions, types with all their methods, packages.
    harmless: &'static [&'static str],
    does: &'static str,
}

const TRUST: &[Trust] = &[
    Trust {
        // Often inlined; what is left then is the method value that it stores.
        function: "crypto/tls.Client",
        method_value: Some("crypto/tls.(*Conn).clientHandshake-fm"),
        // Every HTTP server since Go 1.24: HTTP/2 without TLS is handed over
        // inside a client connection that never shakes hands.
        harmless: &[
            "crypto/tls.Client",
            "net/http.unencryptedTLSConn",
            "net/http.(*conn)",
        ],
        does: "opens TLS connections",
    },
    Trust {
        function: "crypto/x509.(*Certificate).Verify",
        method_value: None,
        // TLS clients are found above; TLS servers check the certificates of
        // their clients, against authorities that they name themselves.
        harmless: &["crypto/tls"],
        does: "verifies certificates",
    },
    Trust {
        function: "crypto/x509.SystemCertPool",
        method_value: None,
        harmless: &[],
        does: "loads the system's certificate authorities",
    },
];

/// What the functions of a Go program say.
pub(super) struct GoNeeds {
    pub(super) answers: Vec<Need>,
    pub(super) has_c_code: bool,
}

/// None when this is no Go program.
pub(super) fn needs(file: &ElfFile<'_>) -> Option<GoNeeds> {
    let build = GoBuild::of(file);
    let functions = GoFunctions::of(file);
    if build.is_none() && functions.is_none() {
        return None;
    }
    let has_c_code = build
        .as_ref()
        .and_then(|build| build.setting("CGO_ENABLED"))
        == Some("1");
    let Some(functions) = functions else {
        let answers = super::doubtful("is a Go program whose function table cannot be read")
            .into_iter()
            .filter(|need| asks_by_function(need.companion))
            .collect();
        return Some(GoNeeds {
            answers,
            has_c_code,
        });
    };

    let module = build
        .as_ref()
        .and_then(|build| build.main.as_ref())
        .map(|main| main.path.as_str());
    let mut answers = vec![certificates(file, &functions, module)];
    for companion in [
        Companion::TimeZones,
        Companion::MimeTypes,
        Companion::Users,
        Companion::Temporary,
    ] {
        let asked = FUNCTIONS
            .iter()
            .find(|(of, function)| *of == companion && functions.has(function));
        answers.push(match asked {
            Some((_, function)) => {
                let by = users(file, &functions, function, None).unwrap_or_default();
                carried(
                    companion,
                    &functions,
                    reason(&by, module, &format!("calls {function}")),
                )
            }
            None => not_needed(companion, "links no function that asks for it".into()),
        });
    }
    for need in &mut answers {
        if need.state == NeedState::NotNeeded
            && let Some(text) = named(file, &functions, need.companion)
        {
            need.state = NeedState::Needed;
            need.reason = format!("names {text}");
        }
    }
    // Go's own resolver takes files, then DNS, when nsswitch.conf is missing.
    answers.push(not_needed(
        Companion::NameService,
        "Go's resolver does without".into(),
    ));
    Some(GoNeeds {
        answers,
        has_c_code,
    })
}

fn asks_by_function(companion: Companion) -> bool {
    companion == Companion::CaCertificates || FUNCTIONS.iter().any(|(of, _)| *of == companion)
}

fn certificates(file: &ElfFile<'_>, functions: &GoFunctions<'_>, module: Option<&str>) -> Need {
    let companion = Companion::CaCertificates;
    for trust in TRUST {
        // An inlined function leaves its name, not its code: then only its
        // method value tells.
        if !functions.has(trust.function)
            && trust.method_value.is_none_or(|value| !functions.has(value))
        {
            continue;
        }
        let Some(mut by) = users(file, functions, trust.function, trust.method_value) else {
            return carried(companion, functions, format!("links {}", trust.function));
        };
        by.retain(|user| {
            !trust
                .harmless
                .iter()
                .any(|harmless| is_or_is_of(user, harmless))
        });
        if !by.is_empty() {
            return carried(companion, functions, reason(&by, module, trust.does));
        }
    }
    not_needed(
        companion,
        "never verifies the certificate of a server".into(),
    )
}

fn named(
    file: &ElfFile<'_>,
    functions: &GoFunctions<'_>,
    companion: Companion,
) -> Option<&'static str> {
    // Texts live here, apart from the source file names of stack traces.
    let texts = file
        .section(b".rodata")
        .and_then(|section| file.section_bytes(section))
        .unwrap_or(file.data);
    NAMED
        .iter()
        .filter(|(of, _, teller)| {
            *of == companion && teller.is_none_or(|package| !functions.has_package(package))
        })
        .map(|(_, text, _)| *text)
        .find(|text| memmem::find(texts, text.as_bytes()).is_some())
}

/// Needed, unless the program carries it itself.
fn carried(companion: Companion, functions: &GoFunctions<'_>, reason: String) -> Need {
    let package = EMBEDDED
        .iter()
        .find(|(of, package)| *of == companion && functions.has_package(package));
    match package {
        Some((_, package)) => Need {
            companion,
            state: NeedState::Embedded,
            reason: format!("{reason}; {package} is linked in"),
        },
        None => Need {
            companion,
            state: NeedState::Needed,
            reason,
        },
    }
}

fn not_needed(companion: Companion, reason: String) -> Need {
    Need {
        companion,
        state: NeedState::NotNeeded,
        reason,
    }
}

/// True for the function itself and its closures, the methods of a type, and
/// what a package has.
fn is_or_is_of(function: &str, name: &str) -> bool {
    function
        .strip_prefix(name)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// `main.run calls time.LoadLocation`: of several functions the one that says
/// most to the program's author.
fn reason(by: &BTreeSet<&str>, module: Option<&str>, does: &str) -> String {
    let strangeness = |name: &&&str| {
        let of_module = module.is_some_and(|module| name.starts_with(module));
        let host = name.split('/').next().unwrap_or_default();
        match host {
            _ if name.starts_with("main.") || of_module => 0,
            host if host.contains('.') && name.contains('/') => 1,
            "crypto" | "time" | "os" => 3,
            _ => 2,
        }
    };
    match by.iter().min_by_key(strangeness) {
        Some(name) => format!("{name} {does}"),
        None => does.to_owned(),
    }
}
