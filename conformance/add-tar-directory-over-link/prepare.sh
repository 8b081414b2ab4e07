mkdir -p t/opt/current; echo x > t/opt/current/x; tar --owner=0 --group=0 -C t --no-recursion -cf context/archive.tar opt/current opt/current/x
