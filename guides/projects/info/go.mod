module example.org/info

go 1.21
