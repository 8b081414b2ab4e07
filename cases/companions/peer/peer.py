"""A server beside the image: 8443 with a certificate of the test authority, 9443 with one that nobody vouches for, 8080 plain."""
import http.server
import ssl
import threading


class Peer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, body):
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.answer(b"the peer answers\n")

    def do_POST(self):
        self.answer(self.rfile.read(int(self.headers.get("Content-Length", 0))))


def serve(port, certificate=None):
    server = http.server.ThreadingHTTPServer(("0.0.0.0", port), Peer)
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(f"/srv/{certificate}.crt", f"/srv/{certificate}.key")
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever).start()


serve(8080)
serve(9443, "stranger")
serve(8443, "peer")
