use crate::scripts::testing::Image;

const LIBRARY: &[(&str, &str)] = &[
    ("usr/bin/python3 -> python3.11", ""),
    ("usr/bin/python3.11", "\x7fELF"),
    ("usr/lib/python3.11/os.py", ""),
    ("usr/lib/python3.11/json/__init__.py", ""),
    ("usr/lib/python3.11/json/decoder.py", ""),
    ("usr/lib/python3.11/types.py", ""),
    ("usr/lib/python3.11/http/__init__.py", ""),
    ("usr/lib/python3.11/http/server.py", ""),
    (
        "usr/lib/python3.11/lib-dynload/_ssl.cpython-311-x86_64-linux-gnu.so",
        "",
    ),
    ("usr/lib/python3/dist-packages/yaml/__init__.py", ""),
    (
        "usr/lib/python3/dist-packages/yaml/_yaml.cpython-311-x86_64-linux-gnu.so",
        "",
    ),
    (
        "usr/lib/python3/dist-packages/PyYAML-6.0.dist-info/METADATA",
        "",
    ),
    (
        "usr/lib/python3/dist-packages/PyYAML-6.0.dist-info/entry_points.txt",
        "[plug]\na = yaml:load\n",
    ),
    (
        "usr/local/lib/python3.11/dist-packages/google/cloud/storage.py",
        "",
    ),
    ("usr/bin/gzip", "\x7fELF"),
    ("usr/bin/openssl", "\x7fELF"),
    ("bin/sh", "\x7fELF"),
];

fn image(path: &str, text: &str, more: &[(&str, &str)]) -> Image {
    let mut files = LIBRARY.to_vec();
    files.push((path, text));
    files.extend(more);
    Image::new(&files)
}

#[track_caller]
fn check(text: &str, more: &[(&str, &str)], expected: &str) {
    image("app/main.py", text, more).check("app/main.py", expected);
}

#[test]
fn imports_of_every_branch() {
    check(
        "import os, json.decoder as d\n",
        &[],
        "Imports /usr/lib/python3.11/os.py
         Imports /usr/lib/python3.11/json/__init__.py
         Imports /usr/lib/python3.11/json/decoder.py",
    );
    check(
        "def f():\n  if x:\n    try:\n      from http import server\n    except E: import _ssl\n",
        &[],
        "Imports /usr/lib/python3.11/http/__init__.py
         Imports /usr/lib/python3.11/http/server.py
         Imports /usr/lib/python3.11/lib-dynload/_ssl.cpython-311-x86_64-linux-gnu.so",
    );
    check(
        "from google.cloud import storage\nimport missing, helper\n",
        &[("app/helper.py", "")],
        "Imports /usr/local/lib/python3.11/dist-packages/google/cloud/storage.py
         Imports /app/helper.py",
    );
    check(
        "import importlib\nimportlib.import_module('yaml')\n__import__('helper.inner')",
        &[("app/helper/inner.py", "")],
        "Imports /usr/lib/python3/dist-packages/yaml/__init__.py\nImports /app/helper/inner.py",
    );
    // Python 2 does not parse; its imports still count.
    check(
        "print 'x'\nimport json\n",
        &[],
        "Imports /usr/lib/python3.11/json/__init__.py",
    );
}

#[test]
fn relative_imports() {
    let more = [
        ("app/pkg/__init__.py", ""),
        ("app/pkg/types.py", ""),
        ("app/pkg/sub/__init__.py", ""),
        ("app/pkg/sub/near.py", ""),
    ];
    image(
        "app/pkg/sub/a.py",
        "from . import near\nfrom ..types import X\nfrom .none import y\n",
        &more,
    )
    .check(
        "app/pkg/sub/a.py",
        "Imports /app/pkg/__init__.py
         Imports /app/pkg/types.py
         Imports /app/pkg/sub/__init__.py
         Imports /app/pkg/sub/near.py",
    );
}

#[test]
fn computed_names_keep_the_package() {
    let more = [
        ("app/pkg/__init__.py", ""),
        ("app/pkg/plugins/__init__.py", ""),
        ("app/pkg/plugins/a.py", ""),
    ];
    let with = |text: &str, expected: &str| {
        image("app/pkg/load.py", text, &more).check("app/pkg/load.py", expected);
    };
    with(
        "import importlib\nimportlib.import_module('pkg.plugins.' + name)",
        "Imports /app/pkg/__init__.py\nImports /app/pkg/plugins/__init__.py\nFamily /app/pkg/plugins",
    );
    with(
        "from importlib import import_module\nimport_module(f'.plugins.{name}', __package__)",
        "Imports /app/pkg/__init__.py\nImports /app/pkg/plugins/__init__.py\nFamily /app/pkg/plugins",
    );
    with(
        "import importlib\nimportlib.import_module(name)",
        "Family /app/pkg",
    );
    with(
        "import pkgutil\nfor m in pkgutil.iter_modules(__path__): pass",
        "Family /app/pkg",
    );
}

#[test]
fn names_in_settings() {
    check(
        "INSTALLED_APPS = ['polls', 'shop.cart']\nMIDDLEWARE = ['shop.middleware.Timed']\nx = 'json.decoder.Thing'",
        &[
            ("app/polls/__init__.py", ""),
            ("app/shop/__init__.py", ""),
            ("app/shop/cart/__init__.py", ""),
            ("app/shop/middleware.py", ""),
        ],
        "Imports /app/polls/__init__.py
         Family /app/polls
         Imports /app/shop/__init__.py
         Imports /app/shop/cart/__init__.py
         Family /app/shop/cart
         Imports /app/shop/middleware.py
         Imports /usr/lib/python3.11/json/__init__.py
         Imports /usr/lib/python3.11/json/decoder.py",
    );
}

#[test]
fn distributions() {
    let info = "usr/lib/python3/dist-packages/PyYAML-6.0.dist-info";
    check(
        "from importlib.metadata import version\nversion('pyyaml')",
        &[],
        &format!("Family /{info}"),
    );
    check(
        "from importlib import metadata\nfor e in metadata.entry_points(group='plug'): e.load()",
        &[],
        &format!("Family /{info}\nImports /usr/lib/python3/dist-packages/yaml/__init__.py"),
    );
}

#[test]
fn files_and_programs() {
    let files = [
        ("app/data/a.json", ""),
        ("app/conf/x.ini", ""),
        ("app/templates/t.html", ""),
        ("srv/list.txt", ""),
    ];
    let with = |text: &str, expected: &str| check(text, &files, expected);
    with(
        "HERE = os.path.dirname(os.path.abspath(__file__))\nopen(os.path.join(HERE, 'data', 'a.json'))",
        "Names /app/data/a.json",
    );
    with(
        "BASE = Path(__file__).resolve().parent\nopen(BASE / 'data' / name)",
        "Family /app/data",
    );
    with(
        "D = Path(__file__).parent / 'conf'\nos.listdir(D)",
        "Family /app/conf",
    );
    with(
        "open('/srv/list.txt'); x = '/srv/none'",
        "Names /srv/list.txt",
    );
    with("open(f'/app/data/{x}.json')", "Family /app/data");
    with("app = Flask(__name__)", "Family /app/templates");
    with(
        "subprocess.run(['gzip', x, '/srv/list.txt'])",
        "Runs /usr/bin/gzip\nNames /srv/list.txt",
    );
    with(
        "os.system('openssl x | gzip')",
        "Runs /usr/bin/gzip\nRuns /usr/bin/openssl\nRuns /bin/sh",
    );
    with(
        "shutil.which('gzip'); os.execvp('openssl', a)",
        "Runs /usr/bin/gzip\nRuns /usr/bin/openssl",
    );
    with("app.run('gzip')", "");
}

#[test]
fn shared_libraries() {
    check(
        "ctypes.CDLL('libmagic.so.1'); ctypes.util.find_library('sodium')",
        &[
            (
                "usr/lib/x86_64-linux-gnu/libmagic.so.1 -> libmagic.so.1.0",
                "",
            ),
            ("usr/lib/libsodium.so.23", ""),
        ],
        "Opens /usr/lib/x86_64-linux-gnu/libmagic.so.1\nOpens /usr/lib/libsodium.so.23",
    );
    // Through a function of one's own, and by a short name to cffi.
    check(
        "for name in ('pango', 'libpango-1.0.so.0'): load(ffi, name)\nffi.dlopen('sodium')",
        &[
            ("usr/lib/libpango-1.0.so.0", ""),
            ("usr/lib/libsodium.so.23", ""),
        ],
        "Opens /usr/lib/libpango-1.0.so.0\nOpens /usr/lib/libsodium.so.23",
    );
}

#[test]
fn virtual_environments() {
    let more = [
        ("srv/venv/pyvenv.cfg", "home = /usr/bin\nversion = 3.11.2\n"),
        ("srv/venv/bin/python -> /usr/bin/python3", ""),
        ("srv/venv/lib/python3.11/site-packages/web/__init__.py", ""),
        (
            "srv/venv/lib/python3.11/site-packages/extra.pth",
            "/srv/lib\n",
        ),
        ("srv/lib/linked.py", ""),
    ];
    image(
        "srv/run",
        "#!/srv/venv/bin/python\nimport web, linked, os, yaml\n",
        &more,
    )
    .check(
        "srv/run",
        "Interpreter /srv/venv/bin/python
         Names /srv/venv/pyvenv.cfg
         Names /srv/venv/lib/python3.11/site-packages/extra.pth
         Imports /srv/venv/lib/python3.11/site-packages/web/__init__.py
         Imports /srv/lib/linked.py
         Imports /usr/lib/python3.11/os.py",
    );
}

#[test]
fn command_lines() {
    let image = image(
        "app/main.py",
        "import json",
        &[
            ("app/wsgi.py", ""),
            ("app/tool", "import types"),
            ("usr/bin/gunicorn", "\x7fELF"),
        ],
    )
    .below("app");
    image.check_command(
        &["python3", "main.py"],
        "Runs /usr/bin/python3\nImports /usr/lib/python3.11/os.py\nNames /app/main.py",
    );
    image.check_command(
        &["python3", "-u", "tool"],
        "Runs /usr/bin/python3\nImports /usr/lib/python3.11/os.py\nNames /app/tool\nImports /usr/lib/python3.11/types.py",
    );
    image.check_command(&["python3", "-c", "import http.server"],
        "Runs /usr/bin/python3\nImports /usr/lib/python3.11/os.py\nImports /usr/lib/python3.11/http/__init__.py\nImports /usr/lib/python3.11/http/server.py");
    image.check_command(
        &["gunicorn", "-b", ":80", "main:app"],
        "Runs /usr/bin/gunicorn\nImports /app/main.py\nNames /app/wsgi.py",
    );
}

/// Without bounds these would take hours; a busy machine takes its time.
const MOST_SECONDS: u64 = 300;

/// Deep and odd texts end, and do not take the process with them.
#[test]
fn hostile_texts_end() {
    let started = std::time::Instant::now();
    for deep in [
        "(",
        "[",
        "{",
        "not ",
        "a+",
        "a.b",
        "f()",
        "lambda:",
        "-",
        "a if b else ",
        "f'{",
        "x=y=",
        "if a:\n ",
        "'%s' % (",
    ] {
        image("a.py", &deep.repeat(1400), &[]).edges("a.py");
        image("a.py", &deep.repeat(100_000), &[]).edges("a.py");
    }
    let nested: String = (0..1500)
        .map(|n| format!("{}if a:\n", " ".repeat(n)))
        .collect();
    image("a.py", &nested, &[]).edges("a.py");
    image("a.py", &"import a.b.c.d\n".repeat(20_000), &[]).edges("a.py");
    assert!(
        started.elapsed().as_secs() < MOST_SECONDS,
        "{:?}",
        started.elapsed()
    );
}
