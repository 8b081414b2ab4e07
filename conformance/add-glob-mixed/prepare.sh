mkdir t; echo x > t/file; tar --mtime=@1000000000 --owner=0 --group=0 --sort=name -cf context/archive.tar t; cp context/archive.tar context/folder/nested.tar
