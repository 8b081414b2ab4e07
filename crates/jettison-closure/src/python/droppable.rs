//! The parts of Python's own library that a running program does without,
//! unless something imports them: tests, the editor, turtle graphics, the
//! installer's installer, the build files of the interpreter.

use jettison_image::ImagePath;

/// Directories below `lib/python3.X/`.
const PARTS: &[&str] = &[
    "ensurepip",
    "idlelib",
    "lib2to3",
    "pydoc_data",
    "test",
    "tkinter",
    "turtledemo",
];

/// Directories in any of its packages.
const ANYWHERE: &[&str] = &["idle_test", "test", "tests"];

/// Whether a path is such a part of a standard library; everything that is
/// imported from there has an edge of its own.
pub fn is_droppable(path: &ImagePath) -> bool {
    let components: Vec<&[u8]> = path.components().collect();
    let Some(library) = components.iter().position(|name| is_library(name)) else {
        return false;
    };
    let inside = &components[library + 1..];
    let Some(first) = inside.first() else {
        return false;
    };
    if matches!(*first, b"site-packages" | b"dist-packages") {
        return false;
    }
    let is_one_of = |list: &[&str], name: &[u8]| list.iter().any(|one| one.as_bytes() == name);
    let directories = &inside[..inside.len() - 1];
    is_one_of(PARTS, first)
        || first.starts_with(b"config-3")
        || directories.iter().any(|name| is_one_of(ANYWHERE, name))
}

/// `python3.11`, below `lib`.
fn is_library(name: &[u8]) -> bool {
    name.strip_prefix(b"python3.")
        .is_some_and(|minor| minor.first().is_some_and(u8::is_ascii_digit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_the_library() {
        for (path, expected) in [
            ("usr/lib/python3.11/test/support.py", true),
            ("usr/lib/python3.11/unittest/test/a.py", true),
            (
                "usr/local/lib/python3.12/config-3.12-x86_64-linux-gnu/Makefile",
                true,
            ),
            ("usr/lib/python3.11/unittest/case.py", false),
            ("usr/lib/python3.11/test.py", false),
            ("usr/lib/python3.11/site-packages/x/tests/a.py", false),
            ("app/test/a.py", false),
        ] {
            assert_eq!(
                is_droppable(&ImagePath::new(path).unwrap()),
                expected,
                "{path}"
            );
        }
    }
}
