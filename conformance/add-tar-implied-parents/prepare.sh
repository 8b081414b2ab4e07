mkdir -p t/a/b; echo x > t/a/b/file; chmod 700 t/a; chown 5:6 t/a/b/file; tar --numeric-owner -C t -cf context/archive.tar a/b/file
