from jinja2 import Environment, PackageLoader


def write(rows): return Environment(loader=PackageLoader("report")).get_template("page.html").render(rows=rows)
