use crate::scripts::testing::Image;

const PROGRAMS: &[(&str, &str)] = &[
    ("usr/bin/node", "\x7fELF"),
    ("usr/bin/npm", "#!/usr/bin/env node\n"),
    ("usr/bin/convert", "\x7fELF"),
    ("usr/bin/gzip", "\x7fELF"),
    ("bin/sh", "\x7fELF"),
    (
        "app/package.json",
        r##"{"name": "app", "imports": {"#db": "./lib/db.js"}, "scripts": {"prestart": "gzip x", "start": "NODE_ENV=production tool --x && node ./main", "all": "run-s build:*"}}"##,
    ),
    ("app/lib/db.js", ""),
    ("app/lib/index.js", ""),
    ("app/node_modules/a/package.json", r#"{"main": "lib/a"}"#),
    ("app/node_modules/a/lib/a.js", "#!/usr/bin/env node\n"),
    ("app/node_modules/a/extra.json", ""),
    (
        "app/node_modules/@s/b/package.json",
        r#"{"exports": {".": {"types": "./t.d.ts", "browser": "./web.js", "node": {"import": "./b.mjs", "require": "./b.cjs"}}, "./f/*": "./src/*.js", "./package.json": "./package.json"}}"#,
    ),
    ("app/node_modules/@s/b/b.mjs", ""),
    ("app/node_modules/@s/b/b.cjs", ""),
    ("app/node_modules/@s/b/web.js", ""),
    ("app/node_modules/@s/b/src/one.js", ""),
    ("app/node_modules/@img/sharp-linux-x64/sharp.node", ""),
    ("app/node_modules/events/index.js", ""),
    ("app/node_modules/.bin/tool -> ../a/lib/a.js", ""),
    (
        "app/node_modules/linked -> .pnpm/linked@1/node_modules/linked",
        "",
    ),
    (
        "app/node_modules/.pnpm/linked@1/node_modules/linked/index.js",
        "require('dep')",
    ),
    (
        "app/node_modules/.pnpm/linked@1/node_modules/dep/index.js",
        "",
    ),
];

fn image(path: &str, text: &str, more: &[(&str, &str)]) -> Image {
    let mut files = PROGRAMS.to_vec();
    files.push((path, text));
    files.extend(more);
    Image::new(&files).below("app")
}

#[track_caller]
fn check(text: &str, more: &[(&str, &str)], expected: &str) {
    image("app/main.ts", text, more).check("app/main.ts", expected);
    if !text.contains(": string") {
        image("app/main.js", text, more).check("app/main.js", expected);
    }
}

#[test]
fn names_are_resolved_as_node_does() {
    check(
        "import './lib/db'; export * from './lib'; export {x} from './lib/db.js'",
        &[],
        "Imports /app/lib/db.js\nImports /app/lib/index.js",
    );
    check(
        "function f() { if (0) require('a'); return import('a/extra.json') }",
        &[],
        "Imports /app/node_modules/a/lib/a.js\nImports /app/node_modules/a/extra.json\nNames /app/node_modules/a/package.json",
    );
    check(
        "import b from '@s/b'; import one from '@s/b/f/one'",
        &[],
        "Imports /app/node_modules/@s/b/b.mjs\nImports /app/node_modules/@s/b/b.cjs\nImports /app/node_modules/@s/b/src/one.js\nNames /app/node_modules/@s/b/package.json",
    );
    check(
        "require('fs'); require('node:path'); require('events'); require('missing')",
        &[],
        "",
    );
    check(
        "require('events/')",
        &[],
        "Imports /app/node_modules/events/index.js",
    );
    check("import '#db'", &[], "Imports /app/lib/db.js");
    check(
        "import linked from 'linked'",
        &[],
        "Imports /app/node_modules/linked/index.js",
    );
    image("x", "", &[]).check(
        "app/node_modules/.pnpm/linked@1/node_modules/linked/index.js",
        "Imports /app/node_modules/.pnpm/linked@1/node_modules/dep/index.js",
    );
    check(
        "import x = require('./lib/db'); const y: string = ''",
        &[],
        "Imports /app/lib/db.js",
    );
    check(
        "import {T} from './lib/db.js'\nconst y: string = ''",
        &[("app/lib/db.ts", "")],
        "Imports /app/lib/db.js",
    );
    check("return require('./lib/db')", &[], "Imports /app/lib/db.js");
    check(
        "const require = createRequire(import.meta.url); require.resolve('a')",
        &[],
        "Imports /app/node_modules/a/lib/a.js\nNames /app/node_modules/a/package.json",
    );
    // Does not parse; what is required still counts.
    check(
        "const x = ; require('./lib/db'); import y from \"a/extra.json\"",
        &[],
        "Imports /app/lib/db.js\nImports /app/node_modules/a/extra.json\nNames /app/node_modules/a/package.json",
    );
}

#[test]
fn computed_names_keep_what_they_may_mean() {
    let more = [("app/locales/en.json", ""), ("app/locales/de.json", "")];
    check(
        "require(`./locales/${lang}.json`)",
        &more,
        "Family /app/locales",
    );
    check(
        "import('./locales/' + lang + '.json')",
        &more,
        "Family /app/locales",
    );
    check(
        "require(path.join(__dirname, 'locales', lang))",
        &more,
        "Family /app/locales",
    );
    check(
        "require(`@img/sharp-${platform}/sharp.node`)",
        &more,
        "Family /app/node_modules/@img/sharp-linux-x64",
    );
    check("require(name)", &more, "");
    check(
        "require('bindings')('x')",
        &[
            ("app/build/Release/x.node", ""),
            ("app/node_modules/bindings/index.js", ""),
        ],
        "Imports /app/node_modules/bindings/index.js\nFamily /app/build",
    );
}

#[test]
fn files_and_programs() {
    let more = [
        ("app/data/a.txt", ""),
        ("app/worker.js", ""),
        ("app/public/i.html", ""),
        ("etc/app.conf", ""),
    ];
    let with = |text: &str, expected: &str| check(text, &more, expected);
    with(
        "fs.readFileSync(path.join(__dirname, 'data', 'a.txt'))",
        "Names /app/data/a.txt",
    );
    with(
        "const d = path.join(__dirname, 'data'); fs.readdirSync(d)",
        "Family /app/data",
    );
    with(
        "readFile(new URL('./data/a.txt', import.meta.url))",
        "Names /app/data/a.txt",
    );
    with(
        "new Worker('./worker.js'); new Worker(new URL('./worker.js', import.meta.url))",
        "Names /app/worker.js",
    );
    with("app.use(express.static('public'))", "Family /app/public");
    with(
        "x = process.env.CONF || '/etc/app.conf'",
        "Names /etc/app.conf",
    );
    with("app.get('/data', f); app.get('/public/x', f)", "");
    with(
        "child_process.spawn('convert', ['-x', '/etc/app.conf'])",
        "Runs /usr/bin/convert\nNames /etc/app.conf",
    );
    with(
        "require('child_process').execSync('gzip x | convert -')",
        "Runs /usr/bin/gzip\nRuns /usr/bin/convert\nRuns /bin/sh",
    );
    with("/x/.exec('gzip'); regex.exec('gzip')", "");
}

#[test]
fn command_lines() {
    let image = image(
        "app/main.js",
        "",
        &[("app/bin/www", "#!/usr/bin/env node\nrequire('../lib/db')")],
    );
    image.check_command(
        &["node", "--enable-source-maps", "main"],
        "Runs /usr/bin/node\nImports /app/main.js",
    );
    image.check_command(&["node", "-r", "a", "bin/www"],
        "Runs /usr/bin/node\nNames /app/bin/www\nImports /app/bin/www\nImports /app/node_modules/a/lib/a.js\nNames /app/node_modules/a/package.json");
    image.check_command(
        &["node", "-e", "require('./lib/db')"],
        "Runs /usr/bin/node\nImports /app/lib/db.js",
    );
    image.check_command(
        &["npm", "start"],
        "Runs /usr/bin/npm
         Names /app/package.json
         Runs /bin/sh
         Runs /usr/bin/gzip
         Runs /app/node_modules/.bin/tool
         Runs /usr/bin/node
         Imports /app/main.js",
    );
    image.check(
        "app/bin/www",
        "Interpreter /usr/bin/node\nImports /app/lib/db.js",
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
        "!",
        "a=>",
        "a+",
        "a.b",
        "f()",
        "a?b:",
        "if(a)",
        "if(a){}else ",
        "`${",
        "function(){",
        "typeof ",
        "<a>",
        "new ",
        "async()=>",
        "a:",
        "/*",
        "/(",
    ] {
        image("a.js", &deep.repeat(1400), &[]).edges("a.js");
        image("a.js", &deep.repeat(100_000), &[]).edges("a.js");
    }
    image("a.js", &"require('a/b/c');".repeat(20_000), &[]).edges("a.js");
    let deep = format!("{{\"main\": {}1{}}}", "[".repeat(5000), "]".repeat(5000));
    image("a.js", "require('./x')", &[("x/package.json", &deep)]).edges("a.js");
    assert!(
        started.elapsed().as_secs() < MOST_SECONDS,
        "{:?}",
        started.elapsed()
    );
}
