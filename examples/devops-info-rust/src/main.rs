//! A small web service that says what it runs on.

use std::env;
use std::fs;
use std::io;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use serde::Serialize;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

#[derive(Serialize)]
struct Info {
    service: Service,
    system: System,
    runtime: Runtime,
}

#[derive(Serialize)]
struct Service {
    name: &'static str,
    version: &'static str,
    description: &'static str,
    framework: &'static str,
}

#[derive(Serialize)]
struct System {
    hostname: String,
    platform: &'static str,
    platform_version: String,
    architecture: &'static str,
    cpu_count: usize,
}

#[derive(Serialize)]
struct Runtime {
    uptime_seconds: u64,
    uptime_human: String,
    current_time: String,
}

#[derive(Serialize)]
struct Health {
    status: &'static str,
    timestamp: String,
    uptime_seconds: u64,
}

#[derive(Serialize)]
struct Problem {
    error: &'static str,
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let host = env::var("HOST").unwrap_or_else(|_| "0.0.0.0".into());
    let port = env::var("PORT").unwrap_or_else(|_| "8000".into());
    let listener = TcpListener::bind(format!("{host}:{port}")).await?;
    eprintln!("listening on {}", listener.local_addr()?);

    let router = Router::new()
        .route("/", get(info))
        .route("/health", get(health))
        .fallback(async || (StatusCode::NOT_FOUND, Json(Problem { error: "not found" })))
        .with_state(Arc::new(Instant::now()));
    axum::serve(listener, router).with_graceful_shutdown(stopped()).await?;
    eprintln!("stopped");
    Ok(())
}

/// Waits for the signal of `docker stop`, or Ctrl-C.
async fn stopped() {
    let mut terminate = signal(SignalKind::terminate()).expect("SIGTERM can be handled");
    let mut interrupt = signal(SignalKind::interrupt()).expect("SIGINT can be handled");
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}

async fn info(State(started): State<Arc<Instant>>) -> Json<Info> {
    let uptime_seconds = started.elapsed().as_secs();
    Json(Info {
        service: Service {
            name: "devops-info-service",
            version: env!("CARGO_PKG_VERSION"),
            description: env!("CARGO_PKG_DESCRIPTION"),
            framework: "Rust axum",
        },
        system: System {
            hostname: fs::read_to_string("/proc/sys/kernel/hostname")
                .map_or_else(|_| "unknown".into(), |name| name.trim().into()),
            platform: env::consts::OS,
            platform_version: platform_version(),
            architecture: match env::consts::ARCH {
                "x86_64" => "amd64",
                "aarch64" => "arm64",
                other => other,
            },
            cpu_count: std::thread::available_parallelism().map_or(1, |count| count.get()),
        },
        runtime: Runtime {
            uptime_seconds,
            uptime_human: format!("{} hours, {} minutes", uptime_seconds / 3600, uptime_seconds / 60 % 60),
            current_time: now(),
        },
    })
}

async fn health(State(started): State<Arc<Instant>>) -> Json<Health> {
    Json(Health { status: "healthy", timestamp: now(), uptime_seconds: started.elapsed().as_secs() })
}

fn now() -> String {
    humantime::format_rfc3339_seconds(SystemTime::now()).to_string()
}

/// The name that the distribution gives itself.
fn platform_version() -> String {
    let text = fs::read_to_string("/etc/os-release").unwrap_or_default();
    text.lines()
        .find_map(|line| line.strip_prefix("PRETTY_NAME="))
        .map_or_else(|| "unknown".into(), |name| name.trim_matches('"').into())
}
