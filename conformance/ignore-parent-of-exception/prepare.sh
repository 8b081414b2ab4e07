chmod 711 context/deep; chmod 700 context/deep/er
