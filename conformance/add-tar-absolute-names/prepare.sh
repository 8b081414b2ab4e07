mkdir t; echo x > t/file; tar -P --transform 's,^t/,/abs/,' -cf context/archive.tar t/file
