//! What the library and its supervisor say to each other: values as bytes,
//! packets with descriptors.
//!
//! Both ends are the same program (the supervisor is its fork), so the format
//! has no version; it is still read with every length checked, because a
//! short or lying packet must not take the supervisor down.

mod channel;
mod codec;
mod message;

pub(crate) use channel::Channel;
pub(crate) use codec::{Wire, decode, encode, wire_struct};
pub(crate) use message::{
    ExecRequest, Failure, FailureKind, FromChild, Reply, Request, StartRequest, Started,
};
