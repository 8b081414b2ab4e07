mkdir -p t/etc t/home/app t/opt/current; echo mine > t/etc/os-release; chmod 750 t/etc; echo x > t/home/app/x; echo y > t/opt/current/y
chown -R 7:8 t; tar --numeric-owner -C t -cf context/archive.tar etc home opt
