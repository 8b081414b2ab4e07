//! One HTTP exchange over a connection that is already open. The protocol
//! itself is hyper's; TLS certificates are not verified, since a probe asks
//! whether the program answers, not who it is.

use std::io::{self, Read};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use jettison_plan::{HttpRequest, Scheme};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{self, ClientConfig, DigitallySignedStruct, SignatureScheme};

/// The largest body that is read; what is longer is an answer all the same.
const BODY_BYTES: usize = 64 << 20;

/// A server that keeps connections notices within this time that one has ended.
const HANG_UP: Duration = Duration::from_millis(100);

/// A response, read to its end.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

/// Sends a request and reads the response.
///
/// # Errors
/// Whatever breaks the exchange, `TimedOut` after `timeout`.
pub(crate) fn exchange(
    stream: TcpStream,
    authority: &str,
    request: &HttpRequest,
    timeout: Duration,
) -> io::Result<Response> {
    stream.set_nonblocking(true)?;
    let line = stream.try_clone()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let response = runtime.block_on(async {
        let answer = async {
            let stream = tokio::net::TcpStream::from_std(stream)?;
            match request.scheme {
                Scheme::Http => send(stream, authority, request).await,
                Scheme::Https => {
                    let name = ServerName::try_from("localhost").map_err(io::Error::other)?;
                    let stream = TlsConnector::from(unverified()?)
                        .connect(name, stream)
                        .await?;
                    send(stream, authority, request).await
                }
            }
        };
        tokio::time::timeout(timeout, answer)
            .await
            .unwrap_or_else(|_| {
                let seconds = timeout.as_secs();
                Err(io::Error::new(
                    io::ErrorKind::TimedOut,
                    format!("no answer in {seconds} s"),
                ))
            })
    })?;
    drop(runtime);
    // What it says of itself next must not speak of this connection.
    let _ = hang_up(&line);
    Ok(response)
}

/// Ends a connection, and waits until the other side has ended it too.
fn hang_up(mut line: &TcpStream) -> io::Result<()> {
    line.shutdown(Shutdown::Write)?;
    line.set_nonblocking(false)?;
    line.set_read_timeout(Some(HANG_UP))?;
    let until = Instant::now() + HANG_UP;
    let mut rest = [0; 4096];
    while line.read(&mut rest)? > 0 && Instant::now() < until {}
    Ok(())
}

async fn send(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    authority: &str,
    request: &HttpRequest,
) -> io::Result<Response> {
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(io_error)?;
    let driver = tokio::spawn(connection);
    let mut builder = hyper::Request::builder()
        .method(request.method.as_str())
        .uri(&request.path);
    let names = || request.headers.iter().map(|(name, _)| name);
    if !names().any(|name| name.eq_ignore_ascii_case("host")) {
        builder = builder.header("host", authority);
    }
    if !names().any(|name| name.eq_ignore_ascii_case("user-agent")) {
        builder = builder.header("user-agent", "jettison-probe");
    }
    for (name, value) in &request.headers {
        builder = builder.header(name, value);
    }
    let body = Full::new(Bytes::from(request.body.clone().unwrap_or_default()));
    let message = builder.body(body).map_err(io::Error::other)?;
    let mut response = sender.send_request(message).await.map_err(io_error)?;
    let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
    let headers = response
        .headers()
        .iter()
        .map(|(name, value)| (name.as_str().to_owned(), text(value.as_bytes())))
        .collect();
    let mut body = Vec::new();
    while let Some(frame) = response.body_mut().frame().await {
        if let Some(data) = frame.map_err(io_error)?.data_ref() {
            let room = BODY_BYTES - body.len();
            body.extend_from_slice(&data[..data.len().min(room)]);
            if body.len() == BODY_BYTES {
                break;
            }
        }
    }
    driver.abort();
    Ok(Response {
        status: response.status().as_u16(),
        headers,
        body,
    })
}

/// hyper hides the plain cause ("connection reset") behind its own words.
fn io_error(error: hyper::Error) -> io::Error {
    let mut cause: &dyn std::error::Error = &error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    let kind = cause
        .downcast_ref()
        .map_or(io::ErrorKind::Other, io::Error::kind);
    io::Error::new(kind, cause.to_string())
}

fn unverified() -> io::Result<Arc<ClientConfig>> {
    let provider = Arc::new(ring::default_provider());
    let config = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)))
        .with_no_client_auth();
    Ok(Arc::new(config))
}

#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::thread;
    use std::time::Duration;

    use jettison_plan::{Action, HttpRequest, Probe};

    use super::{Response, exchange};

    fn request(line: &str) -> HttpRequest {
        match line.parse::<Probe>().expect(line).action {
            Action::Http(request) => request,
            other => panic!("not http: {other:?}"),
        }
    }

    /// Answers one connection with these bytes; gives what was asked.
    fn answered(line: &str, bytes: &'static [u8]) -> (std::io::Result<Response>, String) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("its address");
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a client");
            let mut asked = [0; 4096];
            let count = stream.read(&mut asked).expect("a request");
            stream.write_all(bytes).expect("room");
            String::from_utf8_lossy(&asked[..count]).into_owned()
        });
        let stream = TcpStream::connect(address).expect("the server");
        let response = exchange(stream, "app:80", &request(line), Duration::from_secs(5));
        (response, server.join().expect("the server ends"))
    }

    #[test]
    fn an_exchange() {
        let (response, asked) = answered(
            "POST /a?b -H 'X-Y: z' -d hello",
            b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\nX-A: b\r\n\r\nokrest",
        );
        let response = response.expect("a response");
        assert_eq!(
            (response.status, response.body.as_slice()),
            (201, b"ok".as_slice())
        );
        assert!(response.headers.contains(&("x-a".into(), "b".into())));
        assert!(asked.starts_with("POST /a?b HTTP/1.1\r\n"), "{asked}");
        assert!(
            asked.contains("host: app:80\r\n") && asked.contains("x-y: z\r\n"),
            "{asked}"
        );
        assert!(asked.ends_with("\r\n\r\nhello"), "{asked}");
    }

    #[test]
    fn what_is_no_http_is_an_error() {
        assert!(answered("/", b"SSH-2.0-x\r\n").0.is_err());
        assert!(
            answered("/", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc")
                .0
                .is_err()
        );
    }

    #[test]
    fn silence_ends() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let stream = TcpStream::connect(listener.local_addr().expect("bound")).expect("connects");
        let error = exchange(stream, "a", &request("/"), Duration::from_millis(50));
        assert_eq!(
            error.expect_err("no answer").kind(),
            std::io::ErrorKind::TimedOut
        );
    }

    #[test]
    fn the_server_has_let_go_before_the_next_is_asked() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("it is bound");
        let has_let_go = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&has_let_go);
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a connection");
            let mut request = [0; 1024];
            let _ = stream.read(&mut request).expect("a request");
            let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
            stream.write_all(answer).expect("somebody listens");
            // Another request may come on a connection that is kept.
            while stream.read(&mut request).expect("an end") > 0 {}
            thread::sleep(Duration::from_millis(20));
            seen.store(true, Ordering::SeqCst);
        });
        let stream = TcpStream::connect(address).expect("a listener");
        let response = exchange(stream, "localhost", &request("/"), Duration::from_secs(5));
        assert_eq!(response.expect("an answer").body, b"ok");
        assert!(has_let_go.load(Ordering::SeqCst));
        server.join().expect("no panic");
    }
}
