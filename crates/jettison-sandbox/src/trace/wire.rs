//! What supervisor, tracer and a newborn program say to each other, and a
//! trace as bytes.

use jettison_plan::{FilePath, Touch, Trace};

use super::Tracing;
use crate::wire::{Wire, wire_struct};

/// What the supervisor asks of a tracer.
#[derive(Debug)]
pub(crate) enum TracerRequest {
    /// Listen to this process; a descriptor comes along, through which it
    /// will announce itself.
    Watch { pid: i32 },
    /// Send what was seen through the descriptor that comes along.
    Take,
}

/// What a process says before it becomes a program. Descriptors: its root,
/// its current directory and, when there is one, the listener.
#[derive(Debug)]
pub(super) struct Announced {
    pub(super) has_listener: bool,
    /// Why there is no listener, as an errno; 0 when none was wanted.
    pub(super) refused: i32,
    /// Addresses and texts of the paths that it will try to execute.
    pub(super) attempts: Vec<(u64, Vec<u8>)>,
    pub(super) argv: Vec<String>,
}

wire_struct!(Announced {
    has_listener,
    refused,
    attempts,
    argv
});

impl Wire for TracerRequest {
    fn put(&self, out: &mut Vec<u8>) {
        match self {
            Self::Watch { pid } => {
                out.push(0);
                pid.put(out);
            }
            Self::Take => out.push(1),
        }
    }
    fn take(input: &mut &[u8]) -> Option<Self> {
        Some(match u8::take(input)? {
            0 => Self::Watch {
                pid: i32::take(input)?,
            },
            1 => Self::Take,
            _ => return None,
        })
    }
}

impl Wire for Tracing {
    fn put(&self, out: &mut Vec<u8>) {
        out.push(match self {
            Self::Off => 0,
            Self::On => 1,
            Self::ByNotification => 2,
            Self::ByPtrace => 3,
        });
    }
    fn take(input: &mut &[u8]) -> Option<Self> {
        [Self::Off, Self::On, Self::ByNotification, Self::ByPtrace]
            .get(usize::from(u8::take(input)?))
            .copied()
    }
}

/// Bit n of the byte is the n-th of these.
const TOUCHES: [Touch; 8] = [
    Touch::OPENED,
    Touch::EXECUTED,
    Touch::LINK,
    Touch::LISTED,
    Touch::ASKED,
    Touch::MISSING,
    Touch::CHANGED,
    Touch::DENIED,
];

impl Wire for Touch {
    fn put(&self, out: &mut Vec<u8>) {
        let bits = TOUCHES.iter().enumerate();
        out.push(bits.fold(0, |sum, (bit, &touch)| {
            sum | u8::from(self.has(touch)) << bit
        }));
    }
    fn take(input: &mut &[u8]) -> Option<Self> {
        let byte = u8::take(input)?;
        let set = TOUCHES.iter().enumerate();
        let set = set.filter(|(bit, _)| byte >> bit & 1 == 1);
        Some(set.fold(Touch::default(), |sum, (_, &touch)| sum.with(touch)))
    }
}

impl Wire for FilePath {
    fn put(&self, out: &mut Vec<u8>) {
        self.as_bytes().to_vec().put(out);
    }
    fn take(input: &mut &[u8]) -> Option<Self> {
        Vec::<u8>::take(input).map(Self::new)
    }
}

impl Wire for Trace {
    fn put(&self, out: &mut Vec<u8>) {
        (self.paths.len() as u64).put(out);
        for (path, touch) in &self.paths {
            path.put(out);
            touch.put(out);
        }
        (self.programs.len() as u64).put(out);
        for (path, argv) in &self.programs {
            path.put(out);
            argv.put(out);
        }
        self.lost.put(out);
        self.notes.put(out);
    }
    fn take(input: &mut &[u8]) -> Option<Self> {
        let mut trace = Self::default();
        for _ in 0..u64::take(input)? {
            let path = FilePath::take(input)?;
            trace.paths.insert(path, Touch::take(input)?);
        }
        for _ in 0..u64::take(input)? {
            let path = FilePath::take(input)?;
            trace.programs.insert(path, Vec::take(input)?);
        }
        trace.lost = u64::take(input)?;
        trace.notes = Vec::take(input)?;
        Some(trace)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{decode, encode};

    #[test]
    fn a_trace_survives_the_wire_and_no_prefix_of_it_does() {
        let mut trace = Trace {
            lost: 3,
            notes: vec!["seen".to_owned()],
            ..Trace::default()
        };
        for (bit, &touch) in TOUCHES.iter().enumerate() {
            trace.touch(FilePath::new(format!("etc/{bit}")), touch);
            trace.touch(FilePath::new(b"caf\xe9"), touch);
        }
        trace
            .programs
            .insert(FilePath::new("bin/sh"), vec!["sh".to_owned()]);
        let bytes = encode(&trace);
        assert_eq!(decode::<Trace>(&bytes), Some(trace));
        for end in 0..bytes.len() {
            assert!(decode::<Trace>(&bytes[..end]).is_none());
        }
    }
}
