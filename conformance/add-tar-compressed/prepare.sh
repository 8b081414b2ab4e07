mkdir t; echo x > t/file; tar -cf t.tar t
gzip -nc t.tar > context/a.tar.gz; bzip2 -c t.tar > context/b.tar.bz2; xz -c t.tar > context/c.tar.xz; zstd -qc t.tar > context/d.tar.zst; cp context/a.tar.gz context/named.txt
