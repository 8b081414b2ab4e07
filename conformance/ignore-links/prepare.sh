ln -s real context/link; ln -s real context/other; ln -s in context/folder/link2
