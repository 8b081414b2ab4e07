//! Ruby: `require`, `require_relative`, `load` and `autoload` on the load path
//! of the tree, gems with their specifications, directories that are globbed,
//! texts handed to a shell.

use jettison_image::{ImagePath, Node};

use super::{home, script, text};
use crate::scripts::Reader;
use crate::{Edge, How, World};

/// Where Ruby's own library and that of distributions lie.
const LIBRARIES: &[&str] = &[
    "usr/local/lib/ruby/site_ruby/*",
    "usr/local/lib/ruby/site_ruby",
    "usr/local/lib/ruby/vendor_ruby",
    "usr/lib/ruby/vendor_ruby",
    "usr/lib/ruby/vendor_ruby/*",
    "usr/lib/*/ruby/vendor_ruby/*",
    "usr/lib/ruby/*.*.*",
    "usr/lib/*/ruby/*.*.*",
    "usr/lib/ruby/*.*.*/*-linux*",
    "usr/local/lib/ruby/*.*.*",
    "usr/local/lib/ruby/*.*.*/*-linux*",
    "usr/share/ruby",
    "usr/lib64/ruby",
];

/// Where gems are installed: these hold `gems`, `specifications`, `extensions`.
const GEMS: &[&str] = &[
    "usr/local/bundle",
    "usr/local/bundle/ruby/*",
    "var/lib/gems/*",
    "usr/share/rubygems-integration/*",
    "usr/lib/*/rubygems-integration/*",
    "usr/lib/ruby/gems/*",
    "usr/local/lib/ruby/gems/*",
    "usr/share/gems",
];

const EXTENSIONS: &[&str] = &["", ".rb", ".so"];

/// Directories that Rails and Zeitwerk load by the names of constants.
const BY_CUSTOM: &[&str] = &[
    "app", "config", "db", "lib", "locales", "public", "vendor", "views",
];

/// What a Ruby file leads to.
pub fn edges(world: &World, node: Node, data: &[u8]) -> Vec<Edge> {
    script(world, node, data, read)
}

/// Reads a script, whatever it is called, or the text of `-e`.
pub(crate) fn read(reader: &mut Reader, path: Option<&ImagePath>, data: &[u8]) {
    let own = home(reader, path);
    let load_path = load_path(reader, &own);
    for line in text::code(data, &["#"]) {
        if line == b"__END__" {
            break;
        }
        one_line(reader, &load_path, &own, line);
    }
}

/// `bundle exec`, `rackup`, `puma`: the Gemfile, what rackup runs, the specifications
/// of the gems.
pub(crate) fn bundle(reader: &mut Reader) {
    for name in [
        "Gemfile",
        "Gemfile.lock",
        "config.ru",
        "config/puma.rb",
        ".bundle/config",
        "Rakefile",
    ] {
        reader.name(name.as_bytes());
    }
    specifications(reader);
    let path = reader.world.working_directory.clone();
    by_custom(reader, &path);
}

fn gem_homes(reader: &Reader) -> Vec<ImagePath> {
    let world = &reader.world;
    let mut out = Vec::new();
    for variable in ["GEM_HOME", "GEM_PATH", "BUNDLE_PATH"] {
        for home in text::listed(world, variable) {
            let path = String::from_utf8_lossy(home.as_bytes()).into_owned();
            out.extend_from_slice(&text::expand(world, &format!("{path}/ruby/*")));
            out.push(home);
        }
    }
    let working = String::from_utf8_lossy(world.working_directory.as_bytes()).into_owned();
    out.extend_from_slice(&text::expand(
        world,
        &format!("{working}/vendor/bundle/ruby/*"),
    ));
    for pattern in GEMS {
        out.extend_from_slice(&text::expand(world, pattern));
    }
    out.retain(|home| {
        home.join("gems")
            .is_ok_and(|gems| text::is_directory(world, &gems))
            || home
                .join("specifications")
                .is_ok_and(|gems| text::is_directory(world, &gems))
    });
    out.dedup();
    out
}

fn specifications(reader: &mut Reader) {
    for home in gem_homes(reader) {
        if let Ok(path) = home.join("specifications")
            && text::is_directory(&reader.world, &path)
        {
            reader.family(&path, "lists the installed gems");
        }
    }
}

fn load_path(reader: &Reader, own: &ImagePath) -> Vec<ImagePath> {
    let world = &reader.world;
    let mut out = text::listed(world, "RUBYLIB");
    // A gem's own root, then that of the application.
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
    out.push(world.working_directory.clone());
    for pattern in LIBRARIES {
        out.extend_from_slice(&text::expand(world, pattern));
    }
    for home in gem_homes(reader) {
        let path = String::from_utf8_lossy(home.as_bytes()).into_owned();
        out.extend_from_slice(&text::expand(world, &format!("{path}/gems/*/lib")));
        out.extend_from_slice(&text::expand(world, &format!("{path}/extensions/*/*/*")));
    }
    out
}

fn one_line(reader: &mut Reader, load_path: &[ImagePath], own: &ImagePath, line: &[u8]) {
    for quoted in text::strings(line) {
        let before = quoted.before;
        if text::ends_with_word(before, &["require_relative"]) {
            relative(reader, own, &text::interpolated(&quoted));
        } else if text::ends_with_word(before, &["require", "load", "require_dependency", "gem"])
            || is_autoload(before)
        {
            feature(reader, load_path, own, &quoted);
        } else if text::ends_with_word(
            before,
            &[
                "system",
                "exec",
                "spawn",
                "capture2",
                "capture2e",
                "capture3",
                "popen",
                "popen3",
                "sh",
            ],
        ) || line.get(before.len()) == Some(&b'`')
        {
            text::shell_text(reader, &quoted);
        } else if quoted.text.starts_with(b"/") {
            text::path(reader, own, &text::interpolated(&quoted));
        } else if is_beside(before) {
            let below = text::interpolated(&quoted);
            let below = below.strip_prefix(b"/").unwrap_or(&below);
            let base = if contains(before, b"__FILE__") && below.starts_with(b"..") {
                // `File.expand_path("../x", __FILE__)`
                own.join("x").unwrap_or_else(|_| own.clone())
            } else {
                own.clone()
            };
            below_directory(reader, &base, below);
        } else if contains(line, b"__FILE__") && quoted.text.starts_with(b"../") {
            below_directory(reader, own, quoted.text.get(3..).unwrap_or_default());
        } else if contains(line, b"__dir__") && contains(before, b"expand_path") {
            below_directory(reader, own, quoted.text);
        }
    }
    if contains(line, b"Bundler.")
        || contains(line, b"bundler/setup")
        || contains(line, b"Gem::Specification")
    {
        specifications(reader);
    }
    if contains(line, b"Rails.application")
        || contains(line, b"Rails::Application")
        || contains(line, b"Zeitwerk")
    {
        let directory = reader.world.working_directory.clone();
        by_custom(reader, &directory);
    }
    if contains(line, b"Sinatra") || contains(line, b"sinatra") {
        for name in ["views", "public"] {
            text::path(reader, own, name.as_bytes());
        }
    }
}

fn by_custom(reader: &mut Reader, directory: &ImagePath) {
    for name in BY_CUSTOM {
        if let Ok(path) = directory.join(name)
            && !crate::scripts::is_system(directory)
            && text::is_directory(&reader.world, &path)
        {
            reader.family(&path, "is loaded by the names of constants");
        }
    }
}

/// `autoload :Name, "path"`.
fn is_autoload(before: &[u8]) -> bool {
    let before = before.trim_ascii_end();
    before.ends_with(b",") && contains(before, b"autoload")
}

/// `__dir__ + "/x"`, `File.join(__dir__, "x")`, `File.dirname(__FILE__) + "/x"`.
fn is_beside(before: &[u8]) -> bool {
    let near = &before[before.len().saturating_sub(64)..];
    contains(near, b"__dir__")
        || contains(near, b"dirname(__FILE__)")
        || contains(near, b"Dir[") && contains(near, b"__FILE__")
}

fn below_directory(reader: &mut Reader, base: &ImagePath, below: &[u8]) {
    let path = [b"/", base.as_bytes(), b"/", below].concat();
    for extension in EXTENSIONS {
        let named = [path.as_slice(), extension.as_bytes()].concat();
        if reader.existing(&named).is_some() || path.iter().any(|byte| b"*\0".contains(byte)) {
            text::path(reader, base, &named);
            return;
        }
    }
}

fn relative(reader: &mut Reader, own: &ImagePath, name: &[u8]) {
    for extension in [".rb", ".so", ""] {
        let path = [b"/", own.as_bytes(), b"/", name, extension.as_bytes()].concat();
        if let Some(found) = reader.existing(&path)
            && reader.world.file(&found).is_some()
        {
            reader.add(found, How::Imports, "requires the file");
            return;
        }
    }
    text::path(reader, own, name);
}

fn feature(reader: &mut Reader, load_path: &[ImagePath], own: &ImagePath, quoted: &text::Quoted) {
    let name = text::interpolated(quoted);
    if name.starts_with(b"/") || name.starts_with(b"./") || name.starts_with(b"../") {
        relative(reader, own, &name);
        return;
    }
    if name.is_empty() || name.len() > 255 {
        return;
    }
    if crate::scripts::pattern::is_pattern(&name) {
        // `require "plugins/#{name}"`
        for directory in load_path {
            let path = [b"/", directory.as_bytes(), b"/", &name].concat();
            text::path(reader, directory, &path);
        }
        return;
    }
    let shown = jettison_image::escape(&String::from_utf8_lossy(&name));
    for directory in load_path {
        for extension in [".rb", ".so", ""] {
            let Ok(path) = directory.join([&name, extension.as_bytes()].concat()) else {
                return;
            };
            if reader.world.file(&path).is_some() {
                reader.add(path, How::Imports, format!("requires {shown}"));
                return;
            }
        }
    }
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    memchr::memmem::find(text, part).is_some()
}
