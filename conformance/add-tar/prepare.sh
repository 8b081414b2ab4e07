mkdir t; echo x > t/file; chmod 640 t/file; ln t/file t/twin; ln -s file t/link; ln -s /etc t/absolute; mkdir t/empty; chmod 1777 t/empty; echo s > t/setuid; mkfifo t/fifo
chown -h -R 1000:50 t; chmod 4755 t/setuid
touch -d '2012-03-04 05:06:07 UTC' t/file t
tar --numeric-owner -cf context/archive.tar t
