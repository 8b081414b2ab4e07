mkdir t; echo x > t/file; tar --owner=0 --group=0 -cf context/archive.tar t
