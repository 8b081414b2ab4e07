//! HTTP for the rest of the engine: synchronous, bounded, retried.
//!
//! The client underneath is asynchronous and runs on a private runtime; no
//! caller sees it. Nothing is read from the environment here: proxies and
//! certificate authorities are handed in ([`HttpOptions`]).

mod body;
mod client;
mod download;
mod error;
mod packages;
mod retry;

pub use client::{HttpClient, HttpOptions, Proxies};
pub use download::Download;
pub use error::HttpError;
pub use packages::PackageFetcher;
pub use retry::Retry;

pub(crate) use body::{Body, Response, channel};
pub(crate) use client::{Request, is_loopback};
pub(crate) use download::Resuming;
pub(crate) use error::shown;
pub(crate) use retry::{Verdict, judge, rest, until_answered};
