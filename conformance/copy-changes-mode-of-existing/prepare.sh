chmod 711 context/tree/app; chmod 700 context/top
