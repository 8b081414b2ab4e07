mkdir t; dd if=/dev/urandom of=t/file bs=1k count=64 2>/dev/null; tar -C t -czf whole.tar.gz file; head -c 30000 whole.tar.gz > context/archive.tar.gz
