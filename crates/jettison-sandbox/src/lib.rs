//! Runs a root file system in namespaces of its own; holds all unsafe code.
