mkdir -p t/real; ln -s /etc t/link; echo x > t/real/new; tar -cf context/archive.tar -C t link; tar -rf context/archive.tar -C t --transform 's,^real/,link/,' real/new
