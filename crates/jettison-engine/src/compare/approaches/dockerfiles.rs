//! The ways that guides show to pack a program, as Dockerfiles.
//!
//! The bases are the well-known names of the field; which of them are at hand is
//! for the caller to find out.

use jettison_recipes::Language;

/// What a Dockerfile is written about.
pub(super) struct Program<'a> {
    pub(super) language: Language,
    pub(super) name: &'a str,
    /// Directory of its package below the build context; empty: the context.
    pub(super) directory: &'a str,
}

/// One way to pack it.
pub(super) struct Way {
    /// What a person calls it.
    pub(super) name: &'static str,
    /// What the image stands on.
    pub(super) base: &'static str,
    pub(super) dockerfile: String,
    /// The builder is lent this machine's upx.
    pub(super) takes_upx: bool,
}

/// The named context that holds upx.
pub(super) const UPX_CONTEXT: &str = "jettison-upx";

const UPX: &str = "\
RUN --mount=type=bind,from=jettison-upx,target=/opt/jettison-upx \
/opt/jettison-upx/upx --best --lzma --quiet /out/program\n";

/// Every way, the largest first as guides have it.
pub(super) fn ways(program: &Program<'_>) -> Vec<Way> {
    let builders = Builders::of(program.language);
    let name = program.name;
    let end = format!("COPY --from=build /out/program /{name}\nENTRYPOINT [\"/{name}\"]\n");
    let way = |name, base, builder: &str, static_, upx: &str| Way {
        name,
        base,
        dockerfile: format!(
            "{}{upx}\nFROM {base}\n{end}",
            stage(program, builder, static_)
        ),
        takes_upx: !upx.is_empty(),
    };
    let naive = Way {
        name: "naive, single stage",
        base: builders.debian,
        dockerfile: format!(
            "{}ENTRYPOINT [\"/out/program\"]\n",
            stage(program, builders.debian, false)
        ),
        takes_upx: false,
    };
    let plain = builders.alpine;
    vec![
        naive,
        way(
            "multi-stage, Debian slim",
            "debian:stable-slim",
            builders.debian,
            false,
            "",
        ),
        way("multi-stage, Alpine", "alpine", plain, false, ""),
        way(
            "distroless",
            builders.distroless,
            builders.debian,
            builders.is_static,
            "",
        ),
        way("scratch", "scratch", builders.scratch, true, ""),
        way("scratch + UPX", "scratch", builders.scratch, true, UPX),
    ]
}

/// Where a language's programs are compiled.
struct Builders {
    debian: &'static str,
    alpine: &'static str,
    /// What makes a static program.
    scratch: &'static str,
    distroless: &'static str,
    /// What goes on distroless is static.
    is_static: bool,
}

impl Builders {
    fn of(language: Language) -> Self {
        match language {
            Language::Go => Self {
                debian: "golang",
                alpine: "golang:alpine",
                scratch: "golang",
                distroless: "gcr.io/distroless/static-debian12",
                is_static: true,
            },
            Language::Rust => Self {
                debian: "rust",
                alpine: "rust:alpine",
                // Alpine's own target is musl, and static.
                scratch: "rust:alpine",
                distroless: "gcr.io/distroless/cc-debian12",
                is_static: false,
            },
        }
    }
}

/// The stage that compiles, as guides write it: everything is copied, then
/// compiled, and nothing is kept from one build to the next.
fn stage(program: &Program<'_>, builder: &str, is_static: bool) -> String {
    let quoted = |text: &str| format!("'{}'", text.replace('\'', r"'\''"));
    let directory = match program.directory {
        "" => ".".to_owned(),
        directory => quoted(&format!("./{directory}")),
    };
    let command = match (program.language, is_static) {
        (Language::Go, false) => format!("cd {directory} && go build -o /out/program ."),
        (Language::Go, true) => format!(
            "cd {directory} && CGO_ENABLED=0 go build -trimpath -ldflags='-s -w' -o /out/program ."
        ),
        (Language::Rust, _) => {
            let name = quoted(program.name);
            format!(
                "cd {directory} && cargo build --release --target-dir /tmp/target --bin {name} && \
                 mkdir -p /out && cp /tmp/target/release/{name} /out/program && strip /out/program"
            )
        }
    };
    format!("FROM {builder} AS build\nWORKDIR /src\nCOPY . .\nRUN {command}\n")
}

#[cfg(test)]
mod tests {
    use jettison_dockerfile::parse;

    use super::*;

    #[test]
    fn every_way_is_a_dockerfile() {
        for language in [Language::Go, Language::Rust] {
            for directory in ["", "cmd/it's here"] {
                let program = Program {
                    language,
                    name: "shop",
                    directory,
                };
                for way in ways(&program) {
                    let (_, errors) = parse(way.dockerfile.as_bytes());
                    assert!(errors.is_empty(), "{}: {errors:?}", way.dockerfile);
                    let last = way
                        .dockerfile
                        .rfind("FROM ")
                        .map(|at| &way.dockerfile[at + 5..]);
                    assert!(
                        last.is_some_and(|last| last.starts_with(way.base)),
                        "{}",
                        way.name
                    );
                }
            }
        }
    }
}
