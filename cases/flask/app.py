import importlib
import io
import os
import signal
import socket
import subprocess

from flask import Flask, Response, jsonify, render_template, request, send_from_directory

app = Flask(__name__)


@app.get("/")
def index():
    return "<a href='/report/x'>report</a> <a href='/plugins'>plugins</a>"


@app.get("/report/<name>")
def report(name):
    return render_template("report.html", name=name)


@app.get("/plugins")
def plugins():
    return jsonify(sorted(name[:-3] for name in os.listdir("plugins") if name.endswith(".py")))


@app.get("/plugins/<name>")
def plugin(name):
    return importlib.import_module(f"plugins.{name}").run(request.args["text"])


@app.get("/codec/<name>")
def codec(name):
    return "grüße 日本".encode(name, "replace").hex()


@app.get("/zone/<path:name>")
def zone(name):
    import datetime
    import zoneinfo
    return datetime.datetime.fromtimestamp(1700000000, zoneinfo.ZoneInfo(name)).isoformat()


@app.get("/image/<kind>")
def image(kind):
    from PIL import Image
    out = io.BytesIO()
    Image.linear_gradient("L").resize((16, 16)).convert("RGB").save(out, kind)
    return Response(f"{kind} {Image.open(io.BytesIO(out.getvalue())).format} {len(out.getvalue()) > 60}")


@app.get("/fetch")
def fetch():
    import requests
    try:
        return requests.get(request.args["url"], timeout=5).text
    except requests.exceptions.SSLError:
        return "not trusted", 502


@app.get("/locale/<name>")
def in_locale(name):
    import datetime
    import babel.dates
    import babel.numbers
    day = datetime.date(2024, 3, 1)
    return babel.dates.format_date(day, "full", name) + " " + babel.numbers.format_currency(1234.5, "EUR", locale=name)


@app.get("/system-locale/<name>")
def system_locale(name):
    import locale
    import time
    locale.setlocale(locale.LC_ALL, name)
    try:
        return time.strftime("%A %B", time.gmtime(1700000000))
    finally:
        locale.setlocale(locale.LC_ALL, "C")


@app.get("/user/<name>")
def user(name):
    import pwd
    return pwd.getpwnam(name).pw_dir


@app.get("/port/<name>")
def port(name):
    return str(socket.getservbyname(name, "tcp"))


@app.get("/token")
def token():
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    return AESGCM(b"k" * 16).encrypt(b"n" * 12, b"secret", None).hex()


@app.get("/hash/<name>")
def hashed(name):
    import hashlib
    return hashlib.new(name, b"x").hexdigest()


@app.get("/pack/<name>")
def pack(name):
    return str(len(importlib.import_module(name).compress(b"x" * 1000)))


@app.get("/yaml")
def yaml():
    import yaml
    return yaml.safe_dump({"b": [1, 2], "a": "ü"}, allow_unicode=True)


@app.get("/sql")
def sql():
    import sqlite3
    base = sqlite3.connect(":memory:")
    return str(base.execute("select upper('a') || json('[1, 2]')").fetchone()[0])


@app.get("/run")
def run():
    return subprocess.run(["uname", "-s"], capture_output=True, text=True, check=True).stdout


@app.get("/crash")
def crash():
    raise RuntimeError("on purpose")


@app.get("/source/<name>")
def source(name):
    return send_from_directory("plugins", name)


signal.signal(signal.SIGUSR2, lambda *_: print("usr2", flush=True))
