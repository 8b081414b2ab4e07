# Stage 1: Builder
FROM golang:1.22-alpine AS builder

WORKDIR /app
COPY go.mod main.go ./

RUN go build -o app main.go

# Stage 2: Runtime
FROM alpine:3.19

RUN apk add --no-cache ca-certificates && \
    adduser -D -u 1000 appuser

WORKDIR /app
COPY --from=builder /app/app .

USER appuser
EXPOSE 8000

CMD ["./app"]
