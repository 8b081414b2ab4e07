mkdir t; echo x > t/file; tar --mtime=@1000000000 --owner=0 --group=0 -cf context/archive.tar t
