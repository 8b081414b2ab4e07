mkfifo -m 640 context/folder/fifo
