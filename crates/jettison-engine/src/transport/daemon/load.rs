//! Into the engine: `docker load`, streamed.

use std::io::{self, Write};

use bollard::query_parameters::{ImportImageOptionsBuilder, TagImageOptionsBuilder};
use bytes::Bytes;
use futures_util::stream::{StreamExt, unfold};
use jettison_image::layout::{ArchiveSink, write_docker_archive};
use jettison_image::{Image, Limits, Reference};
use tokio::sync::mpsc;

use super::{Daemon, DaemonError};
use crate::progress::{Progress, ProgressItem};

const PIECE_BYTES: usize = 256 << 10;
/// Of names that say none.
const DEFAULT_DOMAIN: &str = "docker.io/";
/// Pieces that may wait for the engine.
const PIECES: usize = 4;

impl Daemon {
    /// Loads an image under the given names, which it takes from whatever
    /// image had them, as `docker load` does. One that the engine has already
    /// is only named.
    pub(crate) fn load(
        &self,
        image: &Image,
        names: &[Reference],
        limits: &Limits,
        progress: &dyn Progress,
    ) -> Result<(), DaemonError> {
        if self.name(image, names) {
            return Ok(());
        }
        let item = progress.begin(&format!("load into {}", self.host), None);
        let (sender, receiver) = mpsc::channel(PIECES);
        let stream = unfold(
            receiver,
            |mut receiver: mpsc::Receiver<io::Result<Bytes>>| async {
                let piece = receiver.recv().await?;
                Some((piece, receiver))
            },
        );
        let (written, answered) = std::thread::scope(|scope| {
            let item = &*item;
            let writing = scope.spawn(move || {
                let broken = sender.clone();
                let mut sink = ArchiveSink::new(Pieces {
                    sender,
                    piece: Vec::new(),
                    item,
                });
                let written = write_docker_archive(&mut sink, &[(image, names)], limits)
                    .and_then(|()| sink.finish())
                    .map(drop);
                if written.is_err() {
                    // Without this the engine would take the part for the whole.
                    let _ = broken.blocking_send(Err(io::ErrorKind::BrokenPipe.into()));
                }
                written
            });
            let answered = self.runtime.block_on(self.send(stream));
            (writing.join(), answered)
        });
        match (written, answered) {
            // The image could not be read; what the engine says follows from it.
            (Ok(Err(error @ jettison_image::Error::Read { .. })), _) => Err(error.into()),
            // The engine refused; that writing broke off follows from it.
            (_, Err(error)) => Err(error),
            (Ok(written), Ok(())) => Ok(written?),
            (Err(_), Ok(())) => Err(DaemonError::Failed {
                host: self.host.clone(),
                problem: "the archive could not be written".to_owned(),
            }),
        }
    }

    /// Names an image that the engine knows by its config; false where it does
    /// not, or knows images by something else.
    fn name(&self, image: &Image, names: &[Reference]) -> bool {
        let digest = image.manifest.config.digest;
        let (id, hex) = (digest.to_string(), digest.hex());
        let is_it = async |name: &str| {
            let found = self.docker.inspect_image(name).await;
            let known = found.ok().and_then(|found| found.id);
            known.is_some_and(|known| known.ends_with(&hex))
        };
        self.runtime.block_on(async {
            if !is_it(&id).await {
                return false;
            }
            for name in names {
                if is_it(&name.familiar()).await {
                    continue;
                }
                // What a short name is short for is for the engine to say:
                // podman has one answer for an archive and another here.
                if name.name().starts_with(DEFAULT_DOMAIN) {
                    return false;
                }
                let tag = name.tag_or_latest().unwrap_or("latest");
                let name = TagImageOptionsBuilder::default()
                    .repo(&name.familiar_name())
                    .tag(tag);
                if self
                    .docker
                    .tag_image(&id, Some(name.build()))
                    .await
                    .is_err()
                {
                    return false;
                }
            }
            true
        })
    }

    async fn send(
        &self,
        stream: impl futures_util::Stream<Item = io::Result<Bytes>> + Send + 'static,
    ) -> Result<(), DaemonError> {
        let options = ImportImageOptionsBuilder::default().quiet(true).build();
        let mut answers = std::pin::pin!(self.docker.import_image_stream(options, stream, None));
        while let Some(answer) = answers.next().await {
            answer.map_err(|error| self.failed(&error))?;
        }
        Ok(())
    }
}

/// Hands pieces to the request.
struct Pieces<'a> {
    sender: mpsc::Sender<io::Result<Bytes>>,
    piece: Vec<u8>,
    item: &'a dyn ProgressItem,
}

impl Write for Pieces<'_> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.piece.extend_from_slice(buf);
        if self.piece.len() >= PIECE_BYTES {
            self.flush()?;
        }
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.piece.is_empty() {
            return Ok(());
        }
        let piece = std::mem::take(&mut self.piece);
        self.item.advance(piece.len() as u64);
        let ended = |_| io::Error::new(io::ErrorKind::BrokenPipe, "the engine stopped reading");
        self.sender.blocking_send(Ok(piece.into())).map_err(ended)
    }
}
