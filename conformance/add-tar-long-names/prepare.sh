n=$(printf '%0150d' 7); mkdir -p t/$n; echo x > t/$n/$n; ln -s $n/$n t/link; echo u > t/ü; touch -d @1 t/ü
tar --format=gnu -C t -cf context/gnu.tar .; tar --format=pax -C t -cf context/pax.tar .
