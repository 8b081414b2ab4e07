ln -s /folder/file context/absolute
