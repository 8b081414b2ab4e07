//! Which files a program needs: ELF facts, Go build information, companions.
