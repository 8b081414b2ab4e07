//! Perl: `use`, `require` and `do`; modules in the `@INC` of the tree with
//! their compiled halves; texts handed to a shell.

use jettison_image::{ImagePath, Node};

use super::{home, script, text};
use crate::scripts::{Reader, command};
use crate::{Edge, How, World};

/// Where distributions and perl's own installation keep modules.
const INCLUDED: &[&str] = &[
    "etc/perl",
    "usr/local/lib/*/perl/*",
    "usr/local/share/perl/*",
    "usr/lib/*/perl5/*",
    "usr/lib/*/perl5",
    "usr/share/perl5",
    "usr/lib/*/perl-base",
    "usr/lib/*/perl/*",
    "usr/share/perl/*",
    "usr/local/lib/site_perl",
    "usr/local/lib/perl5/*/*-linux*",
    "usr/local/lib/perl5/*",
    "usr/local/lib/perl5/*/*/*-linux*",
    "usr/local/lib/perl5/*/*",
    "usr/lib/perl5/*_perl",
    "usr/share/perl5/*_perl",
    "usr/lib64/perl5",
    "usr/lib64/perl5/*_perl",
];

/// What a Perl file leads to.
pub fn edges(world: &World, node: Node, data: &[u8]) -> Vec<Edge> {
    script(world, node, data, read)
}

/// Reads a script, whatever it is called, or the text of `-e`.
pub(crate) fn read(reader: &mut Reader, path: Option<&ImagePath>, data: &[u8]) {
    let own = home(reader, path);
    let mut include = include(reader, &own);
    let mut in_document = false;
    for line in text::code(data, &["#"]) {
        if line.starts_with(b"=") && line.get(1).is_some_and(u8::is_ascii_alphabetic) {
            in_document = !line.starts_with(b"=cut");
            continue;
        }
        if matches!(line, b"__END__" | b"__DATA__") {
            break;
        }
        if !in_document {
            self::line(reader, &mut include, &own, path, line);
        }
    }
}

fn include(reader: &Reader, own: &ImagePath) -> Vec<ImagePath> {
    let world = &reader.world;
    let mut out = text::listed(world, "PERL5LIB");
    for pattern in INCLUDED {
        out.extend_from_slice(&text::expand(world, pattern));
    }
    // A module's own root: `lib` above it.
    let mut at = Some(own.clone());
    while let Some(one) = at {
        if one.file_name() == b"lib" {
            out.push(one.clone());
        }
        out.extend(
            one.join("lib")
                .ok()
                .filter(|path| !one.is_root() && text::is_directory(world, path)),
        );
        at = one.parent().filter(|parent| !parent.is_root());
    }
    out.push(own.clone());
    out
}

fn line(
    reader: &mut Reader,
    include: &mut Vec<ImagePath>,
    own: &ImagePath,
    path: Option<&ImagePath>,
    line: &[u8],
) {
    // `eval { require Foo::Bar; 1 }`, `use Foo;`, `no Foo;`
    for statement in line.split(|byte| b";{}".contains(byte)) {
        let statement = statement.trim_ascii();
        let mut words = statement.split(|byte| byte.is_ascii_whitespace() || *byte == b'(');
        let verb = words.next().unwrap_or_default();
        let name = words.find(|word| !word.is_empty()).unwrap_or_default();
        match verb {
            b"use" if name == b"lib" => {
                for quoted in text::strings(statement) {
                    let directory = beside(own, quoted.text);
                    include.extend(reader.existing(&directory));
                }
            }
            b"use" | b"require" | b"no" => {
                module(reader, include, name);
                if matches!(name, b"parent" | b"base" | b"aliased" | b"autouse") {
                    named(reader, include, statement);
                }
                if name.starts_with(b"Module::Pluggable") || name.starts_with(b"Module::Find") {
                    named(reader, include, statement);
                    plugins(reader, path);
                }
            }
            _ => {}
        }
    }
    let adds_directories = memchr::memmem::find(line, b"use lib").is_some();
    for quoted in text::strings(line)
        .into_iter()
        .filter(|_| !adds_directories)
    {
        if text::ends_with_word(quoted.before, &["require", "do"]) {
            file(reader, include, own, &quoted);
        } else if text::ends_with_word(quoted.before, &["system", "exec", "qx", "readpipe"]) {
            text::shell_text(reader, &quoted);
            list(reader, line, quoted.before.len());
        } else if text::ends_with_word(
            quoted.before,
            &["load", "load_class", "use_module", "require_module"],
        ) {
            module(reader, include, quoted.text);
        } else if quoted.is_double && line.get(quoted.before.len()) == Some(&b'`') {
            text::shell_text(reader, &quoted);
        } else if quoted.text.starts_with(b"/")
            || quoted.text.starts_with(b"$FindBin::")
            || quoted.text.starts_with(b"$Bin/")
        {
            let directory = beside(own, quoted.text);
            text::path(reader, own, &directory);
        }
    }
    // `open(my $x, "-|", "gzip", …)`, `qx{gzip -d}`
    for opening in [&b"qx{"[..], b"qx(", b"qx/", b"qx|"] {
        if let Some(at) = memchr::memmem::find(line, opening) {
            let inside = &line[at + 3..];
            let end = inside
                .iter()
                .position(|byte| b"})/|".contains(byte))
                .unwrap_or(inside.len());
            let quoted = text::Quoted {
                before: b"",
                text: &inside[..end],
                is_double: true,
            };
            text::shell_text(reader, &quoted);
        }
    }
}

/// `system("gzip", "-d", $file)`.
fn list(reader: &mut Reader, line: &[u8], from: usize) {
    let argv: Vec<Vec<u8>> = text::strings(&line[from..])
        .iter()
        .map(text::interpolated)
        .collect();
    if argv.len() > 1 {
        reader.nested(|reader| command::line(reader, &argv));
    }
}

/// `use parent -norequire, 'A', qw(B C)`.
fn named(reader: &mut Reader, include: &[ImagePath], statement: &[u8]) {
    let words = statement.split(|byte| !byte.is_ascii_alphanumeric() && !b":_".contains(byte));
    for word in words
        .skip(2)
        .filter(|word| word.first().is_some_and(u8::is_ascii_uppercase))
        .take(64)
    {
        module(reader, include, word);
    }
}

/// The file of a module, what is loaded when it is first called, and its
/// compiled half.
fn module(reader: &mut Reader, include: &[ImagePath], name: &[u8]) {
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || b":_".contains(byte);
    if name.is_empty() || !name[0].is_ascii_alphabetic() || !name.iter().all(is_name) {
        return;
    }
    let name = String::from_utf8_lossy(name).into_owned();
    let path = name.replace("::", "/");
    let base = path.rsplit('/').next().unwrap_or(&path).to_owned();
    let detail = format!("uses {name}");
    let mut is_found = false;
    for directory in include {
        let file = directory.join(format!("{path}.pm")).ok();
        if let Some(file) = file.filter(|file| !is_found && reader.world.file(file).is_some()) {
            reader.add(file, How::Imports, detail.clone());
            is_found = true;
        }
        let Ok(auto) = directory.join(format!("auto/{path}")) else {
            continue;
        };
        let library = auto.join(format!("{base}.so")).ok();
        if let Some(library) = library.filter(|library| reader.world.file(library).is_some()) {
            reader.add(library, How::Imports, detail.clone());
        }
        if auto
            .join("autosplit.ix")
            .is_ok_and(|index| reader.world.file(&index).is_some())
        {
            reader.family(&auto, format!("loads parts of {name} when they are called"));
        }
    }
}

/// `require "lib.pl"`, `do "/etc/x.pl"`.
fn file(reader: &mut Reader, include: &[ImagePath], own: &ImagePath, quoted: &text::Quoted) {
    let name = beside(own, quoted.text);
    if name.contains(&b'$') {
        let name = text::interpolated(quoted);
        text::path(reader, own, &name);
        return;
    }
    let working = reader.world.working_directory.clone();
    for directory in include.iter().chain([&working]) {
        if let Some(path) = crate::scripts::existing(&reader.world, directory, &name) {
            reader.add(path, How::Imports, "requires the file");
            return;
        }
    }
}

/// `$FindBin::Bin/../lib`, as a path.
fn beside(own: &ImagePath, text: &[u8]) -> Vec<u8> {
    for variable in [
        &b"$FindBin::Bin"[..],
        b"$FindBin::RealBin",
        b"$Bin",
        b"$RealBin",
    ] {
        if let Some(rest) = text.strip_prefix(variable)
            && rest.first().is_none_or(|byte| *byte == b'/')
        {
            return [b"/", own.as_bytes(), rest].concat();
        }
    }
    text.to_vec()
}

/// The directory named like the module that looks for plugins.
fn plugins(reader: &mut Reader, path: Option<&ImagePath>) {
    let directory = path.and_then(|path| path.as_bytes().strip_suffix(b".pm"));
    if let Some(directory) = directory.and_then(|path| ImagePath::new(path).ok())
        && text::is_directory(&reader.world, &directory)
    {
        reader.family(&directory, "looks for plugins");
    }
}
