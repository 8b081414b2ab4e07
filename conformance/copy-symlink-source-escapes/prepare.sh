echo secret > secret; ln -s ../secret context/escape
