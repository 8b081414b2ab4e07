mkdir -p t served; echo x > t/file; touch -d @1000000000 t t/file
tar --sort=name --owner=0 --group=0 -cf served/archive.tar t; gzip -nc served/archive.tar > served/archive.tar.gz
