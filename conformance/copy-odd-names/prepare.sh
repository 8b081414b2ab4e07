cd context; echo q > "it's"; echo g > grün; echo n > "$(printf 'new\nline')"; echo b > 'back\slash'; echo d > -dash; cd ..
