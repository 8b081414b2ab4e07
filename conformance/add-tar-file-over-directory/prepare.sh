mkdir t; echo x > t/opt; tar -C t -cf context/archive.tar opt
