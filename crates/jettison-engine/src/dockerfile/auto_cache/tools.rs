//! The tools that keep caches, and where. A row is all there is to add.

/// A tool and the directories it keeps.
pub(super) struct Tool {
    /// What it is called, without its directory.
    pub(super) programs: &'static [&'static str],
    /// Its caches.
    pub(super) caches: &'static [Directory],
    /// Words after which it is left alone: who cleans or forbids a cache has thought of it.
    pub(super) vetoes: &'static [&'static str],
    /// Variables that forbid a cache when they are set.
    pub(super) veto_variables: &'static [&'static str],
}

/// A cache directory.
pub(super) struct Directory {
    /// Names the cache in the store.
    pub(super) name: &'static str,
    /// The first variable that is set counts, with what is appended to it.
    pub(super) places: &'static [(&'static str, &'static str)],
    /// Programs look for files in it later, so an image may need it.
    pub(super) is_needed: bool,
    /// The tool does not expect another beside it.
    pub(super) is_locked: bool,
    /// It has what was compiled with the libraries of its time, and is not
    /// looked through when they change.
    pub(super) is_compiled: bool,
}

const fn pure(name: &'static str, places: &'static [(&'static str, &'static str)]) -> Directory {
    Directory {
        name,
        places,
        is_needed: false,
        is_locked: false,
        is_compiled: false,
    }
}

const fn compiled(
    name: &'static str,
    places: &'static [(&'static str, &'static str)],
) -> Directory {
    Directory {
        is_compiled: true,
        ..pure(name, places)
    }
}

const fn needed(
    name: &'static str,
    places: &'static [(&'static str, &'static str)],
    is_locked: bool,
) -> Directory {
    Directory {
        name,
        places,
        is_needed: true,
        is_locked,
        is_compiled: false,
    }
}

pub(super) const TOOLS: &[Tool] = &[
    Tool {
        programs: &["go"],
        caches: &[
            compiled(
                "go-build",
                &[
                    ("GOCACHE", ""),
                    ("XDG_CACHE_HOME", "go-build"),
                    ("HOME", ".cache/go-build"),
                ],
            ),
            needed(
                "go-mod",
                &[
                    ("GOMODCACHE", ""),
                    ("GOPATH", "pkg/mod"),
                    ("HOME", "go/pkg/mod"),
                ],
                false,
            ),
        ],
        vetoes: &["clean"],
        veto_variables: &[],
    },
    Tool {
        programs: &["cargo"],
        caches: &[
            needed(
                "cargo-registry",
                &[("CARGO_HOME", "registry"), ("HOME", ".cargo/registry")],
                false,
            ),
            needed(
                "cargo-git",
                &[("CARGO_HOME", "git"), ("HOME", ".cargo/git")],
                false,
            ),
        ],
        // What is vendored or cleaned lies where the author put it.
        vetoes: &["cache", "clean-all"],
        veto_variables: &[],
    },
    Tool {
        programs: &["npm", "npx"],
        caches: &[pure(
            "npm",
            &[
                ("npm_config_cache", "_cacache"),
                ("NPM_CONFIG_CACHE", "_cacache"),
                ("HOME", ".npm/_cacache"),
            ],
        )],
        vetoes: &["cache", "config", "set", "--cache"],
        veto_variables: &[],
    },
    Tool {
        programs: &["yarn", "yarnpkg"],
        caches: &[
            Directory {
                name: "yarn",
                places: &[
                    ("YARN_CACHE_FOLDER", ""),
                    ("XDG_CACHE_HOME", "yarn"),
                    ("HOME", ".cache/yarn"),
                ],
                is_needed: false,
                is_locked: true,
                is_compiled: false,
            },
            // Plug'n'play runs programs out of it.
            needed("yarn-berry", &[("HOME", ".yarn/berry/cache")], true),
        ],
        vetoes: &["cache", "config", "--cache-folder"],
        veto_variables: &[],
    },
    Tool {
        programs: &["pnpm"],
        caches: &[needed(
            "pnpm",
            &[
                ("PNPM_HOME", "store"),
                ("XDG_DATA_HOME", "pnpm/store"),
                ("HOME", ".local/share/pnpm/store"),
            ],
            false,
        )],
        vetoes: &["store", "prune", "--store-dir", "config"],
        veto_variables: &["npm_config_store_dir", "NPM_CONFIG_STORE_DIR"],
    },
    Tool {
        programs: &["pip", "pip3"],
        caches: &[compiled(
            "pip",
            &[
                ("PIP_CACHE_DIR", ""),
                ("XDG_CACHE_HOME", "pip"),
                ("HOME", ".cache/pip"),
            ],
        )],
        vetoes: &["cache", "config", "--no-cache-dir", "--cache-dir"],
        veto_variables: &["PIP_NO_CACHE_DIR"],
    },
    Tool {
        programs: &["uv"],
        caches: &[compiled(
            "uv",
            &[
                ("UV_CACHE_DIR", ""),
                ("XDG_CACHE_HOME", "uv"),
                ("HOME", ".cache/uv"),
            ],
        )],
        // Links into the cache would point at nothing in the image.
        vetoes: &[
            "cache",
            "--no-cache",
            "-n",
            "--cache-dir",
            "symlink",
            "--link-mode=symlink",
            // They keep environments there for the time of running.
            "run",
            "tool",
        ],
        veto_variables: &["UV_NO_CACHE", "UV_LINK_MODE"],
    },
    Tool {
        programs: &["mvn", "mvnw"],
        caches: &[needed("maven", &[("HOME", ".m2/repository")], true)],
        // Modules that are installed there are found by later steps.
        vetoes: &[
            "install",
            "install:install",
            "install:install-file",
            "deploy",
            "dependency:purge-local-repository",
        ],
        veto_variables: &["MAVEN_OPTS", "MAVEN_ARGS"],
    },
    Tool {
        programs: &["gradle", "gradlew"],
        caches: &[needed(
            "gradle",
            &[("GRADLE_USER_HOME", "caches"), ("HOME", ".gradle/caches")],
            true,
        )],
        vetoes: &["--gradle-user-home", "-g"],
        veto_variables: &[],
    },
    Tool {
        programs: &["composer"],
        // Without COMPOSER_HOME it looks around before it chooses.
        caches: &[Directory {
            name: "composer",
            places: &[("COMPOSER_CACHE_DIR", ""), ("COMPOSER_HOME", "cache")],
            is_needed: false,
            is_locked: true,
            is_compiled: false,
        }],
        vetoes: &["clear-cache", "clearcache", "cc", "--no-cache", "config"],
        veto_variables: &[],
    },
    Tool {
        programs: &["bundle", "bundler"],
        caches: &[Directory {
            name: "gems",
            places: &[("GEM_HOME", "cache")],
            is_needed: false,
            is_locked: true,
            is_compiled: false,
        }],
        vetoes: &["cache", "package", "pack", "--path"],
        veto_variables: &["BUNDLE_PATH", "BUNDLE_CACHE_PATH"],
    },
    Tool {
        programs: &["dotnet"],
        caches: &[needed(
            "nuget",
            &[("NUGET_PACKAGES", ""), ("HOME", ".nuget/packages")],
            true,
        )],
        vetoes: &["locals", "--packages"],
        veto_variables: &["NUGET_FALLBACK_PACKAGES"],
    },
];
