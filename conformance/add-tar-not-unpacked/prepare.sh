mkdir t; echo x > t/file; touch -d @1000000000 t t/file; tar --sort=name --owner=0 --group=0 -cf context/archive.tar t
