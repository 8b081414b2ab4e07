{ printf '\357\273\277'; cat Dockerfile; } > with && mv with Dockerfile
