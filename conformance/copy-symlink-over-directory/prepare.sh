mkdir context/tree; ln -s /tmp context/tree/v1
