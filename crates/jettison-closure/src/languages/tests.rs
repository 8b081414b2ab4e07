use std::io::Write as _;

use crate::scripts::testing::Image;

#[test]
fn perl() {
    let image = Image::new(&[
        ("usr/bin/perl", "\x7fELF"),
        ("usr/bin/gzip", "\x7fELF"),
        ("bin/sh", "\x7fELF"),
        ("usr/share/perl/5.36/strict.pm", ""),
        ("usr/share/perl/5.36/parent.pm", ""),
        ("usr/lib/x86_64-linux-gnu/perl/5.36/POSIX.pm", ""),
        ("usr/lib/x86_64-linux-gnu/perl/5.36/auto/POSIX/POSIX.so", ""),
        ("usr/share/perl5/HTTP/Tiny.pm", ""),
        ("srv/app/lib/My/Thing.pm", ""),
        ("srv/app/lib/extra.pl", ""),
        ("srv/app/data/list.txt", ""),
        (
            "srv/app/bin/run",
            "#!/usr/bin/perl -w
use strict; use POSIX qw(floor);
use FindBin; use lib \"$FindBin::Bin/../lib\";
use parent -norequire, 'My::Thing';
eval { require HTTP::Tiny; 1 };
require 'extra.pl';
open my $f, '<', \"$FindBin::Bin/../data/list.txt\";
my $x = `gzip -l $f`; system(\"gzip\", '-d', $x);
=pod
use Nothing::Here;
=cut
__END__
use Missing;",
        ),
        ("srv/app/tool", "use HTTP::Tiny;"),
    ]);
    image.check(
        "srv/app/bin/run",
        "Interpreter /usr/bin/perl
         Imports /usr/share/perl/5.36/strict.pm
         Imports /usr/share/perl/5.36/parent.pm
         Imports /usr/lib/x86_64-linux-gnu/perl/5.36/POSIX.pm
         Imports /usr/lib/x86_64-linux-gnu/perl/5.36/auto/POSIX/POSIX.so
         Imports /srv/app/lib/My/Thing.pm
         Imports /usr/share/perl5/HTTP/Tiny.pm
         Imports /srv/app/lib/extra.pl
         Names /srv/app/data/list.txt
         Runs /usr/bin/gzip",
    );
    image.check_command(
        &["perl", "/srv/app/tool"],
        "Runs /usr/bin/perl\nNames /srv/app/tool\nImports /usr/share/perl5/HTTP/Tiny.pm",
    );
    image.check_command(
        &["perl", "-we", "use HTTP::Tiny"],
        "Runs /usr/bin/perl\nImports /usr/share/perl5/HTTP/Tiny.pm",
    );
}

#[test]
fn ruby() {
    let image = Image::new(&[
        ("usr/bin/ruby", "\x7fELF"),
        ("usr/bin/convert", "\x7fELF"),
        ("usr/lib/ruby/3.1.0/json.rb", ""),
        ("usr/lib/x86_64-linux-gnu/ruby/3.1.0/digest.so", ""),
        ("var/lib/gems/3.1.0/specifications/rack-3.gemspec", ""),
        (
            "var/lib/gems/3.1.0/gems/rack-3/lib/rack.rb",
            "autoload :Utils, 'rack/utils'",
        ),
        ("var/lib/gems/3.1.0/gems/rack-3/lib/rack/utils.rb", ""),
        ("app/lib/mine.rb", ""),
        ("app/lib/plugins/a.rb", ""),
        ("app/views/i.erb", ""),
        (
            "app/main.rb",
            "require 'json'
require \"digest\" if x
require 'rack'
require_relative 'lib/mine'
Dir[File.join(__dir__, 'lib/plugins/*.rb')].each { |f| require f }
# require 'commented'
Bundler.require
system(\"convert #{a} b\")",
        ),
    ])
    .below("app");
    image.check(
        "app/main.rb",
        "Imports /usr/lib/ruby/3.1.0/json.rb
         Imports /usr/lib/x86_64-linux-gnu/ruby/3.1.0/digest.so
         Imports /var/lib/gems/3.1.0/gems/rack-3/lib/rack.rb
         Imports /app/lib/mine.rb
         Family /app/lib/plugins
         Family /var/lib/gems/3.1.0/specifications
         Runs /usr/bin/convert",
    );
    image.check(
        "var/lib/gems/3.1.0/gems/rack-3/lib/rack.rb",
        "Imports /var/lib/gems/3.1.0/gems/rack-3/lib/rack/utils.rb",
    );
    image.check_command(
        &["ruby", "main.rb"],
        "Runs /usr/bin/ruby\nNames /app/main.rb",
    );
}

#[test]
fn php() {
    let image = Image::new(&[
        ("usr/bin/php", "\x7fELF"),
        ("usr/bin/gzip", "\x7fELF"),
        ("usr/share/php/PEAR.php", ""),
        (
            "app/composer.json",
            r#"{"autoload": {"psr-4": {"App\\": "src/"}, "files": ["help.php"]}}"#,
        ),
        ("app/vendor/autoload.php", ""),
        ("app/vendor/composer/a.php", ""),
        ("app/src/A.php", ""),
        ("app/help.php", ""),
        ("app/inc/x.php", ""),
        ("app/templates/t.html", ""),
        (
            "app/public/index.php",
            "<?php
require __DIR__ . '/../vendor/autoload.php';
include_once(dirname(__FILE__, 2) . '/inc/x.php');
include 'PEAR.php'; // include 'no.php'
$t = dirname(__DIR__) . \"/templates/$name.html\";
exec('gzip -d x');",
        ),
    ]);
    image.check(
        "app/public/index.php",
        "Imports /app/vendor/autoload.php
         Family /app/vendor
         Family /app/src
         Imports /app/help.php
         Imports /app/inc/x.php
         Imports /usr/share/php/PEAR.php
         Family /app/templates
         Runs /usr/bin/gzip",
    );
}

#[test]
fn java() {
    let mut jar = Vec::new();
    let manifest = b"Manifest-Version: 1.0\r\nClass-Path: lib/a.jar lib/missing.jar li\r\n b/b.jar classes/\r\n\r\n";
    let mut deflated =
        flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::default());
    deflated.write_all(manifest).unwrap();
    let deflated = deflated.finish().unwrap();
    let name = b"META-INF/MANIFEST.MF";
    let fields = |out: &mut Vec<u8>| {
        out.extend_from_slice(&[20, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        out.extend_from_slice(&(deflated.len() as u32).to_le_bytes());
        out.extend_from_slice(&(manifest.len() as u32).to_le_bytes());
        out.extend_from_slice(&(name.len() as u16).to_le_bytes());
        out.extend_from_slice(&[0, 0]);
    };
    jar.extend_from_slice(b"PK\x03\x04");
    fields(&mut jar);
    jar.extend_from_slice(name);
    jar.extend_from_slice(&deflated);
    let directory = jar.len() as u32;
    jar.extend_from_slice(b"PK\x01\x02\x14\0");
    fields(&mut jar);
    jar.extend_from_slice(&[0; 14]);
    jar.extend_from_slice(name);
    let size = jar.len() as u32 - directory;
    jar.extend_from_slice(b"PK\x05\x06\0\0\0\0\x01\0\x01\0");
    jar.extend_from_slice(&size.to_le_bytes());
    jar.extend_from_slice(&directory.to_le_bytes());
    jar.extend_from_slice(&[0, 0]);
    let text = |path: &str| (path.to_owned(), Vec::new());
    let image = Image::of(vec![
        ("app/app.jar".to_owned(), jar.clone()),
        ("app/cut.jar".to_owned(), jar[..jar.len() - 30].to_vec()),
        text("app/lib/a.jar"),
        text("app/lib/b.jar"),
        text("app/classes/A.class"),
        text("opt/agent.jar"),
        ("usr/bin/java".to_owned(), b"\x7fELF".to_vec()),
    ])
    .env("JAVA_TOOL_OPTIONS", "-javaagent:/opt/agent.jar=x")
    .below("app");
    image.check(
        "app/app.jar",
        "Imports /app/lib/a.jar\nImports /app/lib/b.jar\nFamily /app/classes",
    );
    image.check("app/cut.jar", "");
    image.check_command(
        &["java", "-Xmx1g", "-jar", "app.jar", "x"],
        "Runs /usr/bin/java\nNames /app/app.jar\nImports /app/app.jar\nImports /opt/agent.jar",
    );
    image.check_command(
        &["java", "-cp", "lib/*:classes", "Main"],
        "Runs /usr/bin/java\nFamily /app/lib\nFamily /app/classes\nImports /opt/agent.jar",
    );
}

#[test]
fn smaller_languages() {
    let programs = [
        "bin/sh",
        "usr/bin/sort",
        "usr/bin/convert",
        "usr/bin/ssh",
        "usr/bin/gzip",
    ];
    let mut files: Vec<(&str, &str)> = programs.map(|path| (path, "\x7fELF")).to_vec();
    files.extend([
        ("usr/bin/tclsh8.6", "\x7fELF"),
        ("usr/bin/Rscript", "\x7fELF"),
        ("usr/share/lua/5.4/json.lua", ""),
        ("usr/share/lua/5.4/socket/http.lua", ""),
        ("usr/lib/R/site-library/jsonlite/NAMESPACE", "import(methods)"),
        ("usr/lib/R/library/methods/NAMESPACE", ""),
        (
            "srv/run.tcl",
            "#!/usr/bin/env tclsh8.6\nsource lib.tcl ;# exec gzip\n# exec gzip x\nset out [exec convert -size 1x1 $in | sort]\nset f [open \"|ssh $host\" r]",
        ),
        ("srv/lib.tcl", ""),
        (
            "srv/app.lua",
            "local json = require(\"json\")\nlocal http = require 'socket.http'\n-- require 'lib'\nos.execute('sort < x | gzip')",
        ),
        ("srv/stat", "#!/usr/bin/Rscript\nlibrary(jsonlite); system2('convert', c('a', 'b'))"),
        ("srv/main.jq", "import \"util\" as u;\ninclude \"more/x\";\nu::f"),
        ("srv/util.jq", ""),
        ("srv/more/x.jq", ""),
        ("srv/sum.awk", "{ print $1 | \"sort -n\" }"),
        ("srv/Makefile", "all: x\n\t@sort x \\\n\t  | gzip > y\nD := $(shell convert x)\n"),
    ]);
    let image = Image::new(&files);
    image.check(
        "srv/run.tcl",
        "Interpreter /usr/bin/tclsh8.6
         Names /srv/lib.tcl
         Runs /usr/bin/gzip
         Runs /usr/bin/convert
         Runs /usr/bin/sort
         Runs /usr/bin/ssh",
    );
    image.check(
        "srv/app.lua",
        "Imports /usr/share/lua/5.4/json.lua
         Imports /usr/share/lua/5.4/socket/http.lua
         Runs /usr/bin/sort
         Runs /usr/bin/gzip
         Runs /bin/sh",
    );
    image.check(
        "srv/stat",
        "Interpreter /usr/bin/Rscript
         Family /usr/lib/R/site-library/jsonlite
         Runs /usr/bin/convert",
    );
    image.check(
        "usr/lib/R/site-library/jsonlite/NAMESPACE",
        "Family /usr/lib/R/library/methods",
    );
    image.check(
        "srv/main.jq",
        "Imports /srv/util.jq\nImports /srv/more/x.jq",
    );
    image.check("srv/sum.awk", "Runs /usr/bin/sort");
    let of_makefile = "Runs /usr/bin/sort\nRuns /usr/bin/gzip\nRuns /usr/bin/convert\nRuns /bin/sh";
    image.check("srv/Makefile", of_makefile);
    image.check_command(
        &["tclsh8.6", "/srv/lib.tcl"],
        "Runs /usr/bin/tclsh8.6\nNames /srv/lib.tcl",
    );
}
