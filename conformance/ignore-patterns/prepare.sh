echo gone > 'context/star*'; echo keep > context/starx
