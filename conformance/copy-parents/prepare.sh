sed -i 1d Dockerfile
chmod 700 context/a
