//! Programs that a person's own application may run, guessed from the texts it
//! holds: strings in quotes, constants of Java classes. What packages hold is
//! not asked this way: they name every tool there is.

use std::collections::HashSet;

use jettison_image::Node;

use crate::guess::{command_line, is_command_line, is_name};
use crate::languages::{java, text};
use crate::scripts::Reader;
use crate::{Edge, World};

/// Different texts of one file that are looked at.
const MOST_TEXTS: usize = 100_000;

/// The programs that a file of the application may run.
pub fn edges(world: &World, node: Node, data: &[u8]) -> Vec<Edge> {
    let mut reader = Reader::of(world, node);
    let constants = java::constants(node, data);
    let texts: Vec<&[u8]> = match constants.is_empty() && !data.contains(&0) {
        true => {
            let quoted = text::code(data, &[]).flat_map(text::strings);
            quoted.map(|quoted| quoted.text).collect()
        }
        false => constants.iter().map(Vec::as_slice).collect(),
    };
    let mut known: HashSet<&[u8]> = HashSet::new();
    for text in texts {
        if known.len() < MOST_TEXTS && known.insert(text) {
            consider(&mut reader, text);
        }
    }
    reader.into_edges()
}

fn consider(reader: &mut Reader, text: &[u8]) {
    let Ok(text) = std::str::from_utf8(text) else {
        return;
    };
    if is_name(text) {
        if text.len() > 1
            && let Some(path) = reader.world.command(text.as_bytes())
        {
            reader.add(path, crate::How::Runs, format!("may run {text}"));
        }
    } else if is_command_line(text) {
        command_line(reader, text);
    }
}

#[cfg(test)]
mod tests {
    use super::edges;
    use crate::scripts::testing::{Image, compare};

    #[test]
    fn words_in_quotes_that_are_programs() {
        let mut class = b"\xca\xfe\xba\xbe\0\0\0\x3d\0\x03".to_vec();
        class.extend(b"\x01\0\x05uname\x08\0\x01");
        let class = class
            .iter()
            .map(|&byte| char::from(byte))
            .collect::<String>();
        let image = Image::new(&[
            ("usr/bin/sort", "\x7fELF"),
            ("usr/bin/date", "\x7fELF"),
            ("usr/bin/uname", "\x7fELF"),
            ("usr/bin/gzip", "\x7fELF"),
            (
                "srv/app.psgi",
                "open my $p, '-|', 'sort', '-r', $file;\nsay \"date of birth\"; run 'gzip -d x.gz'; # uname",
            ),
            ("srv/Main.class", &class),
        ]);
        let check = |path: &str, expected: &str| {
            let world = image.world();
            let node = world.file(path).expect(path);
            let data = world.contents.read(node, u64::MAX).expect(path);
            // The image holds text; a class is bytes.
            let text = String::from_utf8(data.into_owned()).expect(path);
            let data: Vec<u8> = text.chars().map(|letter| letter as u8).collect();
            compare(path, &edges(&world, node, &data), expected);
        };
        check(
            "srv/app.psgi",
            "Runs /usr/bin/sort
             Runs /usr/bin/gzip",
        );
        check("srv/Main.class", "Runs /usr/bin/uname");
    }
}
