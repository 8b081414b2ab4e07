ln -s in context/folder/link
