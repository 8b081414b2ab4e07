echo star > 'context/file*'; echo plain > context/filex
