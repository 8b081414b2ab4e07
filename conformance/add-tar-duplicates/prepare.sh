mkdir t; echo 1 > t/file; tar -C t -cf context/archive.tar file; echo 22 > t/file; chmod 600 t/file; tar -C t -rf context/archive.tar file
