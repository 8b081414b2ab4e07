echo plain | gzip -nc > context/plain.gz; : > context/empty.tar; echo not really > context/truncated.tar.gz
