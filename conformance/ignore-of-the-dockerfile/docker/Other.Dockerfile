FROM scratch
COPY . /out/
