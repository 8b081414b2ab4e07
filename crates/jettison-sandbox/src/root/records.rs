//! The library's end of the stream in which entries travel to the worker that
//! writes them into a directory.

use std::io::{BufWriter, Read, Write};
use std::os::fd::OwnedFd;

use super::{BROKEN, PIECE, RootEntry, RootKind, RootReport};
use crate::error::Error;
use crate::wire::{Failure, decode, encode};

/// A stream of entries, open until it is finished.
#[derive(Debug)]
pub(crate) struct Records {
    socket: BufWriter<std::fs::File>,
    piece: Vec<u8>,
}

impl Records {
    /// `fds` is what the supervisor answered with.
    pub(crate) fn over(fds: Vec<OwnedFd>) -> Result<Self, Error> {
        let socket = fds.into_iter().next().ok_or(Error::Gone)?;
        Ok(Self {
            socket: BufWriter::with_capacity(PIECE, std::fs::File::from(socket)),
            piece: vec![0; PIECE],
        })
    }

    /// Sends an entry; `content` is read for files only.
    pub(crate) fn put(&mut self, entry: &RootEntry, content: &mut dyn Read) -> Result<(), Error> {
        let header = encode(entry);
        let length = u32::try_from(header.len()).unwrap_or(BROKEN);
        let header = [&length.to_le_bytes()[..], &header].concat();
        if self.socket.write_all(&header).is_err() {
            return Err(self.why());
        }
        if entry.kind != RootKind::File {
            return Ok(());
        }
        loop {
            let count = match content.read(&mut self.piece) {
                Ok(count) => count,
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(e) => {
                    let _ = self.socket.write_all(&BROKEN.to_le_bytes());
                    return Err(Error::step(
                        format!("reading the content of {}", entry.shown()),
                        e,
                    ));
                }
            };
            let length = u32::try_from(count).unwrap_or(BROKEN).to_le_bytes();
            let written = self
                .socket
                .write_all(&length)
                .and_then(|()| self.socket.write_all(&self.piece[..count]));
            if written.is_err() {
                return Err(self.why());
            }
            if count == 0 {
                return Ok(());
            }
        }
    }

    /// Nothing more comes: waits until everything is written.
    pub(crate) fn finish(mut self) -> Result<RootReport, Error> {
        if self.socket.write_all(&0_u32.to_le_bytes()).is_err() || self.socket.flush().is_err() {
            return Err(self.why());
        }
        self.answer()?.map_err(Error::from_failure)
    }

    /// The other side has hung up: it has said why.
    fn why(&mut self) -> Error {
        match self.answer() {
            Ok(Err(failure)) => Error::from_failure(failure),
            Ok(Ok(_)) | Err(_) => Error::Gone,
        }
    }

    fn answer(&mut self) -> Result<Result<RootReport, Failure>, Error> {
        let mut bytes = Vec::new();
        let _ = self.socket.get_mut().take(1 << 20).read_to_end(&mut bytes);
        let answer: (Option<RootReport>, Option<Failure>) = decode(&bytes).ok_or(Error::Gone)?;
        match answer {
            (Some(report), _) => Ok(Ok(report)),
            (None, Some(failure)) => Ok(Err(failure)),
            (None, None) => Err(Error::Gone),
        }
    }
}
