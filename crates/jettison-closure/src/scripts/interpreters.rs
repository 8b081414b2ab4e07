//! The command lines of interpreters: which script, module or text they read.

use jettison_image::ImagePath;

use super::any::{self, Language};
use super::reader::Reader;
use crate::languages::{java, perl, php, rows, ruby};
use crate::{node, python};

/// Reads what an interpreter, or a server that loads an application by its
/// name, is told to run.
pub(super) fn arguments(
    reader: &mut Reader,
    program: Option<&ImagePath>,
    stem: &[u8],
    arguments: &[Vec<u8>],
) {
    match stem {
        b"python" | b"pypy" => python_line(reader, program, arguments),
        b"gunicorn" | b"uvicorn" | b"hypercorn" | b"daphne" | b"waitress-serve" | b"uwsgi"
        | b"granian" | b"celery" | b"flask" | b"fastapi" | b"dramatiq" | b"rq" | b"arq"
        | b"huey_consumer" | b"streamlit" | b"django-admin" => {
            python_server(reader, program, arguments)
        }
        b"node" | b"nodejs" | b"ts-node" | b"tsx" | b"bun" | b"nodemon" => {
            node_line(reader, arguments)
        }
        b"npm" | b"yarn" | b"pnpm" => package_script(reader, arguments),
        b"perl" => text_or_script(reader, arguments, b"eE", b"I", Language::Perl),
        b"plackup" | b"starman" | b"twiggy" | b"starlet" => {
            reader.name(b"app.psgi");
        }
        b"ruby" => text_or_script(reader, arguments, b"e", b"ICEWrx", Language::Ruby),
        b"bundle" | b"bundler" | b"rackup" | b"puma" | b"unicorn" | b"thin" | b"rails"
        | b"rake" | b"sidekiq" => {
            ruby::bundle(reader);
        }
        b"php" => text_or_script(reader, arguments, b"rBR", b"cdftzS", Language::Php),
        b"java" => java::arguments(reader, arguments),
        b"pm2" | b"pm2-runtime" | b"forever" => {
            for word in arguments.iter().filter(|word| word.contains(&b'.')) {
                node::script(reader, word);
            }
        }
        stem => {
            if let Some(row) = rows::of_interpreter(stem) {
                row_line(reader, arguments, row);
            }
        }
    }
}

/// What a command line of an interpreter says, its options stepped over.
struct Line<'a> {
    /// The value of the first option that is one of the `texts`.
    text: Option<(u8, &'a [u8])>,
    /// The first word that is no option, where no text was given.
    script: Option<&'a [u8]>,
}

/// Reads options of one letter: `texts` end the options, as `-c` and `-m`,
/// `valued` take the next word or the rest of their own.
fn options<'a>(arguments: &'a [Vec<u8>], texts: &[u8], valued: &[u8]) -> Line<'a> {
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        if word == b"--" {
            let script = words.next().map(Vec::as_slice);
            return Line { text: None, script };
        }
        if !word.starts_with(b"-") || word.len() < 2 {
            let script = (word != b"-").then_some(word.as_slice());
            return Line { text: None, script };
        }
        if word.starts_with(b"--") {
            continue;
        }
        let Some(at) = word[1..]
            .iter()
            .position(|letter| texts.contains(letter) || valued.contains(letter))
        else {
            continue;
        };
        let letter = word[at + 1];
        let rest = &word[at + 2..];
        let value = if rest.is_empty() {
            words.next().map_or(&b""[..], Vec::as_slice)
        } else {
            rest
        };
        if texts.contains(&letter) {
            let text = Some((letter, value));
            return Line { text, script: None };
        }
    }
    Line {
        text: None,
        script: None,
    }
}

/// The script that a word names, unless it will be read by itself for what its
/// name says.
fn script(reader: &mut Reader, word: &[u8], language: Language) -> Option<ImagePath> {
    let path = reader.existing(word)?;
    let node = reader.world.file(&path)?;
    let head = reader.world.contents.read(node, 512).ok()?;
    (any::language(node, &head) != Some(language)).then_some(path)
}

fn content(reader: &mut Reader, path: &ImagePath) -> Option<Vec<u8>> {
    let node = reader.world.file(path)?;
    Some(reader.content(node).into_owned())
}

fn python_line(reader: &mut Reader, program: Option<&ImagePath>, arguments: &[Vec<u8>]) {
    python::interpreter(reader, program);
    let line = options(arguments, b"cm", b"WXQ");
    match line.text {
        Some((b'c', text)) => reader.nested(|reader| python::code(reader, program, text)),
        Some((_, name)) => {
            let name = String::from_utf8_lossy(name).into_owned();
            python::module(reader, program, &name, true);
            // `python -m gunicorn app:app`
            let at = arguments.iter().position(|word| word == name.as_bytes());
            let rest = at.map_or(&[][..], |at| &arguments[at + 1..]);
            python_server(reader, program, rest);
        }
        None => {
            let Some(word) = line.script else {
                return;
            };
            let inside = [word, b"/__main__.py"].concat();
            if let Some(main) = reader.name(&inside) {
                python::script(reader, program, &main);
            } else if let Some(path) = script(reader, word, Language::Python) {
                reader.nested(|reader| python::script(reader, program, &path));
            }
        }
    }
}

/// `MODULE:APP`, `-A MODULE`, `--app MODULE`, settings in the environment.
fn python_server(reader: &mut Reader, program: Option<&ImagePath>, arguments: &[Vec<u8>]) {
    let mut names: Vec<String> = arguments
        .iter()
        .map(|word| match word.iter().position(|&byte| byte == b'=') {
            Some(at) if word.starts_with(b"-") => &word[at + 1..],
            _ => word.as_slice(),
        })
        .filter(|word| !word.starts_with(b"-") && !word.contains(&b'/'))
        .filter_map(|word| String::from_utf8(word.to_vec()).ok())
        .collect();
    for variable in [
        "DJANGO_SETTINGS_MODULE",
        "FLASK_APP",
        "APP_MODULE",
        "MODULE_NAME",
        "CELERY_APP",
    ] {
        names.extend(reader.world.environment.get(variable).cloned());
    }
    for name in names.iter().take(64) {
        let name = name.strip_suffix(".py").unwrap_or(name);
        let is_module = name.split(':').next().is_some_and(|module| {
            module.split('.').all(|part| {
                !part.is_empty()
                    && part
                        .bytes()
                        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
            })
        });
        if is_module {
            python::module(reader, program, name, false);
        }
    }
    for default in ["app.py", "wsgi.py", "manage.py", "gunicorn.conf.py"] {
        reader.name(default.as_bytes());
    }
}

fn node_line(reader: &mut Reader, arguments: &[Vec<u8>]) {
    let directory = reader.world.working_directory.clone();
    let from_environment = reader.world.environment.get("NODE_OPTIONS");
    let from_environment = from_environment
        .map_or("", String::as_str)
        .split_whitespace();
    let from_environment: Vec<Vec<u8>> = from_environment
        .map(|word| word.as_bytes().to_vec())
        .collect();
    for list in [&from_environment[..], arguments] {
        let mut words = list.iter();
        while let Some(word) = words.next() {
            let (option, value) = match word.iter().position(|&byte| byte == b'=') {
                Some(at) if word.starts_with(b"--") => (&word[..at], Some(&word[at + 1..])),
                _ => (word.as_slice(), None),
            };
            let mut value = || {
                value
                    .or_else(|| words.next().map(Vec::as_slice))
                    .unwrap_or_default()
            };
            match option {
                b"-r" | b"--require" | b"--import" | b"--loader" | b"--experimental-loader" => {
                    let name = String::from_utf8_lossy(value()).into_owned();
                    node::require(reader, &directory, &name);
                }
                b"-e" | b"--eval" | b"-p" | b"--print" | b"-pe" => {
                    let text = value().to_vec();
                    reader.nested(|reader| node::code(reader, &text));
                    return;
                }
                b"-C" | b"--conditions" | b"--env-file" | b"--title" | b"--max-old-space-size" => {
                    value();
                }
                option if option.starts_with(b"-") => {}
                // tsx and bun have verbs of their own.
                b"watch" | b"run" | b"inspect" => {}
                script => {
                    node::script(reader, script);
                    return;
                }
            }
        }
    }
}

/// `npm start`, `npm run NAME`, `yarn NAME`.
fn package_script(reader: &mut Reader, arguments: &[Vec<u8>]) {
    let mut words = arguments.iter().filter(|word| !word.starts_with(b"-"));
    let verb = words.next().map_or(&b""[..], Vec::as_slice);
    let name = match verb {
        b"run" | b"run-script" => words.next().map_or(&b""[..], Vec::as_slice),
        b"" | b"install" | b"ci" | b"exec" | b"add" => return,
        verb => verb,
    };
    let name = String::from_utf8_lossy(name).into_owned();
    node::run(reader, &name);
    reader.run(b"node");
}

/// Every word that is a script which does not say itself what it is, and every
/// text: what these interpreters call their options differs.
fn row_line(reader: &mut Reader, arguments: &[Vec<u8>], row: &'static rows::Row) {
    for name in row.found_by_itself() {
        reader.name(name.as_bytes());
    }
    for word in arguments {
        if word.iter().any(|byte| b" ({\"".contains(byte)) {
            reader.nested(|reader| rows::read(reader, None, word, row));
        } else if let Some(path) = script(reader, word, Language::Row(row))
            && let Some(data) = content(reader, &path)
        {
            reader.nested(|reader| rows::read(reader, Some(&path), &data, row));
        }
    }
}

/// An interpreter that takes a text as an option or else a script.
fn text_or_script(
    reader: &mut Reader,
    arguments: &[Vec<u8>],
    texts: &[u8],
    valued: &[u8],
    language: Language,
) {
    let line = options(arguments, texts, valued);
    let (path, data) = match (line.text, line.script) {
        (Some((_, text)), _) => (None, text.to_vec()),
        (None, Some(word)) => {
            let Some(path) = script(reader, word, language) else {
                return;
            };
            let Some(data) = content(reader, &path) else {
                return;
            };
            (Some(path), data)
        }
        _ => return,
    };
    let path = path.as_ref();
    reader.nested(|reader| match language {
        Language::Perl => perl::read(reader, path, &data),
        Language::Ruby => ruby::read(reader, path, &data),
        Language::Php => php::read(reader, path, &data),
        _ => {}
    });
}
