//! Images in memory, for tests.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use jettison_image::{
    Budget, Entry, EntryKind, Error, FileContents, ImagePath, LayerIndexBuilder, Limits, Metadata,
    Node, Tree,
};

use super::{any, command};
use crate::{Edge, Memo, World};

pub(crate) struct Image {
    tree: Tree,
    files: Files,
    environment: BTreeMap<String, String>,
    working_directory: ImagePath,
    memo: Memo,
}

struct Files(HashMap<Vec<u8>, Vec<u8>>);

impl FileContents for Files {
    fn read(&self, file: Node<'_>, most: u64) -> Result<Cow<'_, [u8]>, Error> {
        let data = self.0.get(file.path().as_bytes());
        let data = data.map_or(&[][..], Vec::as_slice);
        Ok(Cow::Borrowed(&data[..data.len().min(most as usize)]))
    }
}

impl Image {
    /// Files with their content; `a -> b` is a link, `a/` a directory. What
    /// lies in a `bin` or begins with `#!` is executable.
    pub(crate) fn new(files: &[(&str, &str)]) -> Self {
        let files: Vec<(String, Vec<u8>)> = files
            .iter()
            .map(|(path, data)| ((*path).to_owned(), data.as_bytes().to_vec()))
            .collect();
        Self::of(files)
    }

    pub(crate) fn of(files: Vec<(String, Vec<u8>)>) -> Self {
        let limits = Limits::default();
        let mut builder = LayerIndexBuilder::new(Arc::new(Budget::new(&limits)));
        let mut contents = HashMap::new();
        for (ordinal, (path, data)) in files.into_iter().enumerate() {
            let (path, kind) = match path.split_once(" -> ") {
                Some((path, target)) => {
                    let target = target.as_bytes().to_vec();
                    (path.to_owned(), EntryKind::Symlink { target })
                }
                None if path.ends_with('/') => (path, EntryKind::Directory),
                None => {
                    let size_bytes = data.len() as u64;
                    (path, EntryKind::File { size_bytes })
                }
            };
            let is_program = format!("/{path}").contains("bin/") || data.starts_with(b"#!");
            let metadata = Metadata {
                mode: if is_program { 0o755 } else { 0o644 },
                ..Metadata::default()
            };
            let path = ImagePath::new(path).unwrap();
            contents.insert(path.as_bytes().to_vec(), data);
            let entry = Entry {
                path,
                kind,
                metadata,
            };
            builder.push(&entry, ordinal as u32, None).unwrap();
        }
        let tree = Tree::merge(vec![Arc::new(builder.finish())], &limits).unwrap();
        Self {
            tree,
            files: Files(contents),
            environment: BTreeMap::new(),
            working_directory: ImagePath::root(),
            memo: Memo::default(),
        }
    }

    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.insert(name.to_owned(), value.to_owned());
        self
    }

    pub(crate) fn below(mut self, directory: &str) -> Self {
        self.working_directory = ImagePath::new(directory).unwrap();
        self
    }

    pub(crate) fn world(&self) -> World<'_> {
        World {
            tree: &self.tree,
            contents: &self.files,
            environment: &self.environment,
            working_directory: &self.working_directory,
            memo: &self.memo,
        }
    }

    /// What one file leads to.
    pub(crate) fn edges(&self, path: &str) -> Vec<Edge> {
        let node = self.tree.get(path).expect(path);
        let data = self.files.read(node, u64::MAX).unwrap();
        any::edges(&self.world(), node, &data)
    }

    #[track_caller]
    pub(crate) fn check(&self, path: &str, expected: &str) {
        compare(path, &self.edges(path), expected);
    }

    #[track_caller]
    pub(crate) fn check_command(&self, argv: &[&str], expected: &str) {
        let words: Vec<String> = argv.iter().map(|word| (*word).to_owned()).collect();
        compare(
            &argv.join(" "),
            &command::edges(&self.world(), &words),
            expected,
        );
    }
}

/// Compares edges, in any order, with lines `How /path`.
#[track_caller]
pub(crate) fn compare(what: &str, edges: &[Edge], expected: &str) {
    let mut found: Vec<String> = edges
        .iter()
        .map(|edge| format!("{:?} {}", edge.how, edge.to.display()))
        .collect();
    found.sort();
    let mut lines: Vec<&str> = expected
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    lines.sort_unstable();
    assert_eq!(found, lines, "{what}");
}
