printf '\357\273\277one\r\ntwo\r\n' > context/.dockerignore
