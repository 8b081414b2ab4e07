chmod 664 context/tree/file; chmod 770 context/tree/sub
