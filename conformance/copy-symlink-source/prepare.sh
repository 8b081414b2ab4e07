cd context; ln -s file link; ln -s folder dirlink; ln -s dirlink chain; ln -s ../file folder/up; cd ..
