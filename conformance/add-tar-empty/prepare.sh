tar -cf context/empty.tar -T /dev/null
