//! Perl, Ruby, PHP and Java class paths: readers of the text, without a
//! grammar. They see what is written out, with the usual ways to say "beside
//! this file"; what is put together otherwise is taken as the directory it
//! begins with. Comments at the start of a line do not count, those behind code
//! and strings that look like code do: in doubt a thing is needed.

pub mod java;
pub mod perl;
pub mod php;
pub mod ruby;
mod text;
mod zip;

#[cfg(test)]
mod tests;
