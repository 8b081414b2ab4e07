mkdir t; echo x > t/file; tar -P --transform 's,t/file,../climbed,' -cf context/archive.tar t/file
