mkdir t; echo x > t/file; tar -cf context/archive.tar t
