import argparse
import csv
import importlib
import importlib.metadata
import importlib.resources
import io
import os
import subprocess
import sys


def rows():
    with importlib.resources.files("report").joinpath("data/rows.csv").open() as file:
        return [tuple(map(int, row)) for row in csv.reader(file)]


def formats():
    return {e.name: e for e in importlib.metadata.entry_points(group="report.formats")}


def highlight(language):
    from pygments import highlight
    from pygments.formatters import get_formatter_by_name
    from pygments.lexers import get_lexer_by_name
    return highlight("x = 1 # y", get_lexer_by_name(language), get_formatter_by_name("html"))


def numbers(what):
    import numpy
    return {
        "inverse": lambda: numpy.linalg.inv(numpy.eye(2) * 2),
        "fourier": lambda: abs(numpy.fft.fft([1, 2, 3, 4])).round(3),
        "random": lambda: numpy.random.default_rng(1).integers(0, 100, 5),
        "polynomial": lambda: numpy.polynomial.Polynomial([1, 2, 1]).roots().round(3),
        "text": lambda: numpy.char.upper(["a", "b"]),
    }[what]().tolist()


def fetch(url):
    import ssl
    import httpx
    try:
        return httpx.get(url, verify=ssl.create_default_context()).text
    except httpx.ConnectError as error:
        return "not trusted" if "CERTIFICATE" in str(error) else repr(error)


PAGES = {
    "formats": lambda a: ",".join(sorted(formats())),
    "format": lambda a: formats()[a].load()(rows()),
    "highlight": highlight,
    "numbers": lambda a: str(numbers(a)),
    "fetch": lambda a: fetch("https://" + a),
    "guess": lambda a: str(__import__("chardet").detect(bytes.fromhex(a))["encoding"]),
    "date": lambda a: __import__("dateutil.parser").parser.parse(a).isoformat(),
    "zone": lambda a: str(__import__("dateutil.tz").tz.gettz(a.replace("~", "/")).utcoffset(__import__("datetime").datetime(2024, 1, 1))),
    "rule": lambda a: str(list(__import__("dateutil.rrule").rrule.rrulestr(a, dtstart=__import__("datetime").datetime(2024, 1, 1)))[-1]),
    "codec": lambda a: "grüße".encode(a).hex(),
    "xml": lambda a: __import__("lxml.etree").etree.fromstring("<a><b>x</b></a>").xpath("string(//b)"),
    "html": lambda a: __import__("lxml.html").html.fromstring("<p>x<br>y").text_content(),
    "schema": lambda a: str(__import__("lxml.isoschematron").isoschematron.__name__),
    "module": lambda a: importlib.import_module(a).__name__,
    "user": lambda a: __import__("pwd").getpwnam(a).pw_dir + " " + os.path.expanduser("~"),
    "port": lambda a: str(__import__("socket").getservbyname(a)),
    "run": lambda a: subprocess.run([sys.executable, "-m", "json.tool"], input='{"a":1}', capture_output=True, text=True).stdout,
    "spawn": lambda a: str(__import__("concurrent.futures").futures.ProcessPoolExecutor(1, mp_context=__import__("multiprocessing").get_context("spawn")).submit(pow, 2, 10).result()),
    "version": lambda a: importlib.metadata.version(a).split(".")[0],
    "sources": lambda a: __import__("inspect").getsource(rows).split("\n")[0],
}


async def application(scope, receive, send):
    from starlette.requests import Request
    from starlette.responses import PlainTextResponse
    assert scope["type"] in ("http", "lifespan")
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                return
    _, page, *rest = Request(scope).url.path.split("/", 2)
    if not page:
        answer = PlainTextResponse(" ".join(PAGES))
    elif page not in PAGES:
        answer = PlainTextResponse("missing", 404)
    else:
        answer = PlainTextResponse(PAGES[page](rest[0] if rest else ""))
    await answer(scope, receive, send)


def main():
    parser = argparse.ArgumentParser("report")
    commands = parser.add_subparsers(dest="command", required=True)
    serve = commands.add_parser("serve")
    serve.add_argument("--port", type=int, default=8000)
    page = commands.add_parser("page")
    page.add_argument("name", choices=PAGES)
    page.add_argument("argument", nargs="?", default="")
    options = parser.parse_args()
    if options.command == "page":
        print(PAGES[options.name](options.argument))
        return
    import uvicorn
    uvicorn.run(application, host="0.0.0.0", port=options.port)


if __name__ == "__main__":
    main()
