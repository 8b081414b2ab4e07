//! What has been seen so far, bounded: what does not fit is counted as lost.

use std::collections::HashMap;

use jettison_plan::{FilePath, Touch, Trace};

/// No honest program touches so many paths; a hostile one asks for new names
/// for ever.
const PATHS: usize = 2_000_000;
const BYTES: usize = 160 << 20;
/// Programs whose arguments are kept, and the bytes of these.
const PROGRAMS: usize = 20_000;
const ARGUMENT_BYTES: usize = 32 << 20;

#[derive(Debug, Default)]
pub(super) struct Record {
    paths: HashMap<Box<[u8]>, Touch>,
    programs: HashMap<Box<[u8]>, Vec<String>>,
    path_bytes: usize,
    argument_bytes: usize,
    lost: u64,
    /// Said with every trace that is taken.
    notes: Vec<String>,
}

impl Record {
    /// Something was done with a path inside the container, without its
    /// leading slash.
    pub(super) fn touch(&mut self, path: &[u8], touch: Touch) {
        if let Some(known) = self.paths.get_mut(path) {
            *known = known.with(touch);
            return;
        }
        if is_kernels(path) {
            return;
        }
        if self.paths.len() >= PATHS || self.path_bytes + path.len() > BYTES {
            self.lost += 1;
            self.note("more paths were touched than a trace holds");
            return;
        }
        self.path_bytes += path.len();
        self.paths.insert(path.into(), touch);
    }

    /// A program was started, if it is the first time.
    pub(super) fn started(&mut self, path: &[u8], argv: impl FnOnce() -> Vec<String>) {
        if is_kernels(path) || self.programs.contains_key(path) {
            return;
        }
        let full = self.programs.len() >= PROGRAMS || self.argument_bytes > ARGUMENT_BYTES;
        if full {
            self.note("more programs were started than a trace holds");
            return;
        }
        let argv = argv();
        self.argument_bytes += argv.iter().map(String::len).sum::<usize>() + path.len();
        self.programs.insert(path.into(), argv);
    }

    /// Something happened of which we know no path.
    pub(super) fn lose(&mut self) {
        self.lost += 1;
    }

    pub(super) fn note(&mut self, note: &str) {
        if !self.notes.iter().any(|known| known == note) && self.notes.len() < 100 {
            self.notes.push(note.to_owned());
        }
    }

    /// Everything since the last time.
    pub(super) fn take(&mut self) -> Trace {
        let paths = std::mem::take(&mut self.paths);
        let programs = std::mem::take(&mut self.programs);
        self.path_bytes = 0;
        self.argument_bytes = 0;
        Trace {
            paths: paths
                .into_iter()
                .map(|(path, touch)| (FilePath::new(path), touch))
                .collect(),
            programs: programs
                .into_iter()
                .map(|(path, argv)| (FilePath::new(path), argv))
                .collect(),
            lost: std::mem::take(&mut self.lost),
            notes: self.notes.clone(),
        }
    }
}

/// Below `/proc`, `/sys` and `/dev` nothing is the image's.
pub(super) fn is_kernels(path: &[u8]) -> bool {
    [&b"proc"[..], b"sys", b"dev"].iter().any(|name| {
        path.strip_prefix(*name)
            .is_some_and(|rest| matches!(rest.first(), None | Some(b'/')))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_is_what_came_since_the_last() {
        let mut record = Record::default();
        record.touch(b"etc/passwd", Touch::ASKED);
        record.touch(b"etc/passwd", Touch::OPENED);
        for path in ["proc", "proc/self/maps", "dev/null", "sys/kernel"] {
            record.touch(path.as_bytes(), Touch::OPENED);
        }
        record.touch(b"process", Touch::ASKED);
        record.started(b"bin/sh", || vec!["sh".to_owned()]);
        record.started(b"bin/sh", || vec!["other".to_owned()]);
        record.lose();
        let trace = record.take();
        let text: Vec<_> = trace
            .paths
            .iter()
            .map(|(path, touch)| format!("{path} {touch:?}"))
            .collect();
        assert_eq!(text, ["/etc/passwd opened+asked", "/process asked"]);
        assert_eq!(trace.programs[&FilePath::new("bin/sh")], ["sh"]);
        assert_eq!(trace.lost, 1);
        assert_eq!(record.take(), Trace::default());
    }
}
