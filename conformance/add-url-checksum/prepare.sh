mkdir served; printf fetched > served/empty
sed -i "s/sha256:[0-9a-f]*/sha256:$(sha256sum < served/empty | cut -c1-64)/" Dockerfile
