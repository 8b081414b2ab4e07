mkdir t; echo x > t/file; chown -R 7:8 t; tar --numeric-owner -cf context/archive.tar t
