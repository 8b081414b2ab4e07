printf confidential > token.txt
