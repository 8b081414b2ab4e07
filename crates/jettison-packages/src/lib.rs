//! Packages as data: dpkg, apk, Debian index, signatures, the composed base.
