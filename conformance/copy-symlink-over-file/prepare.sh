mkdir context/d; ln -s /etc/group context/d/a; echo new > context/d/b
