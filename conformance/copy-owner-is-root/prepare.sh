chown -R 77:88 context
