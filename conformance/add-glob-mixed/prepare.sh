mkdir t; echo x > t/file; tar -cf context/archive.tar t; cp context/archive.tar context/folder/nested.tar
