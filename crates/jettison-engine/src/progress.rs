//! What long work reports while it goes on. The command line draws it; a
//! library user may ignore it.

/// Receives reports. Calls come from any thread.
pub trait Progress: Send + Sync {
    /// An item of work begins; it ends when what is returned is dropped.
    fn begin(&self, what: &str, total_bytes: Option<u64>) -> Box<dyn ProgressItem>;

    /// A sentence that should stay on the screen.
    fn note(&self, text: &str);
}

/// One item of work.
pub trait ProgressItem: Send + Sync {
    /// So many more bytes are done.
    fn advance(&self, bytes: u64);

    /// What is being done just now.
    fn say(&self, text: &str);
}

/// Reports to nobody.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {
    fn begin(&self, _what: &str, _total_bytes: Option<u64>) -> Box<dyn ProgressItem> {
        Box::new(Self)
    }

    fn note(&self, _text: &str) {}
}

impl ProgressItem for Silent {
    fn advance(&self, _bytes: u64) {}

    fn say(&self, _text: &str) {}
}
