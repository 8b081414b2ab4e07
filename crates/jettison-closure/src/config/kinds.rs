//! One table of configuration languages: which files they are in, from where
//! their relative names are meant, and which directives load modules.

/// A configuration language.
pub(super) struct Kind {
    /// What paths of its files begin with or contain (`*` alone: the name ends so).
    files: &'static [Of],
    /// Directories from which relative names are meant (patterns).
    pub(super) bases: &'static [&'static str],
    /// Directives that load modules, in lower case.
    pub(super) modules: &'static [&'static str],
    /// Where modules lie (patterns).
    pub(super) module_directories: &'static [&'static str],
    /// Directives that name a directory of which everything is needed.
    pub(super) directories: &'static [&'static str],
    /// Directives behind which a command stands.
    pub(super) commands: &'static [&'static str],
}

enum Of {
    Below(&'static str),
    Holds(&'static str),
    Named(&'static str),
}

impl Kind {
    /// `<delegate decode="ps" command="&quot;gs&quot; …"/>`.
    pub(super) fn is_xml_of_commands(&self) -> bool {
        self.commands.contains(&XML_COMMAND)
    }

    pub(super) fn is_of(&self, path: &[u8]) -> bool {
        let name = path.rsplit(|&b| b == b'/').next().unwrap_or_default();
        self.files.iter().any(|of| match of {
            Of::Below(directory) => path.starts_with(directory.as_bytes()),
            Of::Holds(part) => memchr::memmem::find(path, part.as_bytes()).is_some(),
            Of::Named(pattern) => crate::glob::matches(pattern.as_bytes(), name),
        })
    }
}

/// Stands for `command="…"` in any element.
const XML_COMMAND: &str = "<command>";

/// Files of which nothing is known but that they are configuration.
pub(super) const OTHER: Kind = Kind {
    files: &[],
    bases: &[],
    modules: &[],
    module_directories: &[],
    directories: &[
        "directory",
        "dir",
        "includedir",
        "#includedir",
        "@includedir",
        "docroot",
        "document_root",
    ],
    commands: &[],
};

pub(super) const KINDS: &[Kind] = &[
    Kind {
        files: &[
            Of::Below("etc/nginx/"),
            Of::Below("etc/angie/"),
            Of::Below("usr/share/nginx/modules"),
            Of::Holds("nginx/conf/"),
            Of::Named("nginx*.conf"),
        ],
        bases: &[
            "/etc/nginx",
            "/usr/share/nginx",
            "/usr/lib/nginx",
            "/usr/local/nginx",
            "/usr/local/nginx/conf",
            "/usr/local/openresty/nginx",
            "/var/lib/nginx",
            "/etc/angie",
        ],
        modules: &["load_module"],
        module_directories: &[
            "/usr/lib/nginx/modules",
            "/usr/lib64/nginx/modules",
            "/usr/local/nginx/modules",
        ],
        directories: &["root", "alias", "lua_package_path"],
        commands: &[],
    },
    Kind {
        files: &[
            Of::Below("etc/apache2/"),
            Of::Below("etc/httpd/"),
            Of::Holds("apache2/conf/"),
            Of::Named("httpd*.conf"),
            Of::Named("apache2.conf"),
        ],
        bases: &[
            "/etc/apache2",
            "/usr/lib/apache2",
            "/etc/httpd",
            "/usr/lib64/httpd",
            "/usr/local/apache2",
            "/var/www",
        ],
        modules: &["loadmodule", "loadfile"],
        module_directories: &[
            "/usr/lib/apache2/modules",
            "/usr/lib64/httpd/modules",
            "/usr/local/apache2/modules",
            "/usr/lib/apache2",
        ],
        directories: &[
            "documentroot",
            "alias",
            "scriptalias",
            "aliasmatch",
            "directory",
        ],
        commands: &[],
    },
    Kind {
        files: &[
            Of::Below("etc/php"),
            Of::Holds("/etc/php/"),
            Of::Holds("/php/conf.d/"),
            Of::Named("php*.ini"),
            Of::Named("docker-php-ext-*.ini"),
            Of::Named("php-fpm*.conf"),
            Of::Holds("php-fpm.d/"),
        ],
        bases: &[
            "/etc/php",
            "/usr/local/etc",
            "/usr/local/lib/php",
            "/usr/local",
            "/usr",
        ],
        modules: &["extension", "zend_extension"],
        module_directories: &[
            "/usr/lib/php/[0-9]*",
            "/usr/lib/php*/modules",
            "/usr/lib64/php*/modules",
            "/usr/local/lib/php/extensions/*",
        ],
        directories: &["include_path", "chdir"],
        commands: &["sendmail_path"],
    },
    Kind {
        files: &[
            Of::Named("postgresql*.conf"),
            Of::Named("postgresql.conf.sample"),
            Of::Below("etc/postgresql"),
            Of::Named("*.control"),
        ],
        bases: &["/etc/postgresql/*/*"],
        modules: &[
            "shared_preload_libraries",
            "session_preload_libraries",
            "local_preload_libraries",
            "jit_provider",
            "archive_library",
            "module_pathname",
        ],
        module_directories: &[
            "/usr/lib/postgresql/*/lib",
            "/usr/lib64/pgsql",
            "/usr/local/lib/postgresql",
            "/usr/lib/postgresql",
            "/usr/local/pgsql/lib",
        ],
        directories: &["include_dir"],
        commands: &[
            "archive_command",
            "restore_command",
            "ssl_passphrase_command",
        ],
    },
    Kind {
        files: &[Of::Below("etc/pam.d/"), Of::Named("pam.conf")],
        bases: &[
            "/etc/pam.d",
            "/lib/security",
            "/lib/*/security",
            "/usr/lib/security",
            "/usr/lib64/security",
            "/usr/lib/*/security",
        ],
        modules: &[
            "auth",
            "-auth",
            "account",
            "-account",
            "password",
            "-password",
            "session",
            "-session",
        ],
        module_directories: &[
            "/lib/security",
            "/lib/*/security",
            "/lib64/security",
            "/usr/lib/security",
            "/usr/lib64/security",
            "/usr/lib/*/security",
        ],
        directories: &[],
        commands: &[],
    },
    Kind {
        files: &[Of::Below("etc/rsyslog")],
        bases: &["/etc"],
        modules: &["module", "$modload"],
        module_directories: &[
            "/usr/lib/*/rsyslog",
            "/usr/lib64/rsyslog",
            "/usr/lib/rsyslog",
        ],
        directories: &["$includeconfig"],
        commands: &[],
    },
    Kind {
        files: &[Of::Below("etc/odbc"), Of::Named("odbc*.ini")],
        bases: &[],
        modules: &["driver", "setup", "driver64", "setup64"],
        module_directories: &[
            "/usr/lib/*/odbc",
            "/usr/lib/*-linux-*",
            "/usr/lib64",
            "/usr/lib",
            "/usr/local/lib",
        ],
        directories: &[],
        commands: &[],
    },
    Kind {
        files: &[
            Of::Below("etc/mysql"),
            Of::Below("etc/my.cnf"),
            Of::Named("my.cnf"),
        ],
        bases: &["/etc/mysql", "/usr/share/mysql"],
        modules: &[
            "plugin_load",
            "plugin-load",
            "plugin_load_add",
            "plugin-load-add",
        ],
        module_directories: &[
            "/usr/lib/mysql/plugin",
            "/usr/lib/*/mariadb*/plugin",
            "/usr/lib64/mysql/plugin",
        ],
        directories: &[
            "!includedir",
            "lc-messages-dir",
            "lc_messages_dir",
            "character-sets-dir",
        ],
        commands: &[],
    },
    Kind {
        files: &[Of::Below("etc/ldap/"), Of::Below("etc/openldap/")],
        bases: &["/etc/ldap", "/etc/openldap"],
        modules: &["moduleload", "olcmoduleload:"],
        module_directories: &["/usr/lib/ldap", "/usr/lib/openldap", "/usr/lib64/openldap"],
        directories: &[],
        commands: &[],
    },
    Kind {
        files: &[Of::Named("delegates.xml"), Of::Named("delegates.mgk")],
        bases: &[],
        modules: &[],
        module_directories: &[],
        directories: &[],
        commands: &[XML_COMMAND],
    },
];
