mkdir -m 750 context/empty
