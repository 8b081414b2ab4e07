//! Unpacks ahead of the caller, in a thread of its own, a bounded number of
//! buffers deep. The thread ends when the data or the caller does.

use std::io::{self, Read};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use super::decoder::{Chunk, Unpacker, invalid};

/// Bytes of one buffer: large enough that handing over costs nothing.
const BUFFER_BYTES: usize = 1 << 20;

/// Buffers under way; with the two in use, five exist.
const DEPTH: usize = 3;

/// The caller's end of an unpacking thread.
pub(super) struct Pipeline {
    filled: Receiver<io::Result<Chunk>>,
    emptied: SyncSender<Chunk>,
}

impl Pipeline {
    /// Starts the thread.
    pub(super) fn start<R: Read + Send + 'static>(unpacker: Unpacker<R>) -> io::Result<Self> {
        let (fill, filled) = sync_channel(DEPTH);
        let (emptied, empty) = sync_channel(DEPTH + 2);
        thread::Builder::new()
            .name("unpack".into())
            .spawn(move || unpack(unpacker, &fill, &empty))?;
        Ok(Self { filled, emptied })
    }

    /// Exchanges a used chunk for the next one; an empty one is the end.
    pub(super) fn next(&mut self, chunk: &mut Chunk) -> io::Result<()> {
        let used = std::mem::take(chunk);
        if !used.data.is_empty() {
            // Full or gone: the buffer is simply freed.
            drop(self.emptied.try_send(used));
        }
        *chunk = self
            .filled
            .recv()
            .map_err(|_| invalid("unpacking stopped after an earlier error"))??;
        Ok(())
    }
}

fn unpack<R: Read>(
    mut unpacker: Unpacker<R>,
    fill: &SyncSender<io::Result<Chunk>>,
    empty: &Receiver<Chunk>,
) {
    loop {
        let mut chunk = empty.try_recv().unwrap_or_default();
        let result = unpacker.fill(&mut chunk, BUFFER_BYTES);
        let last = result.is_err() || chunk.length == 0;
        if fill.send(result.map(|()| chunk)).is_err() || last {
            return;
        }
    }
}
