import csv
import datetime
import io
import json
import zoneinfo

from django.core import serializers
from django.core.files.storage import default_storage
from django.db import connection
from django.http import HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt

from .models import Item

MOMENT = datetime.datetime(2024, 3, 1, 12, tzinfo=datetime.timezone.utc)


def index(request):
    return HttpResponse('<a href="/page/">page</a> <a href="/items/">items</a>')


@csrf_exempt
def items(request):
    if request.method == "POST":
        given = json.loads(request.body)
        item, new = Item.objects.update_or_create(name=given["name"], defaults={"price": given["price"], "data": given, "made": MOMENT})
        return JsonResponse({"name": item.name}, status=201 if new else 200)
    return JsonResponse(list(Item.objects.order_by("name").values("name", "price")), safe=False)


def page(request):
    return render(request, "page.html", {"moment": MOMENT, "number": 1234567.891})


def zone(request, name):
    with timezone.override(zoneinfo.ZoneInfo(name)):
        return HttpResponse(timezone.localtime(MOMENT).isoformat())


def export(request, kind):
    rows = Item.objects.filter(name="exported")
    if kind == "csv":
        out = io.StringIO()
        csv.writer(out).writerows(rows.values_list("name", "price"))
        return HttpResponse(out.getvalue(), content_type="text/csv")
    if kind == "server":
        with connection.cursor() as cursor:
            cursor.execute("select current_setting('server_version_num')::int / 10000")
            return HttpResponse(str(cursor.fetchone()[0]))
    return HttpResponse(serializers.serialize(kind, rows, fields=["name", "price"]), content_type="text/plain")


@csrf_exempt
def upload(request, name):
    from PIL import Image
    out = io.BytesIO()
    Image.new("RGB", (4, 4), "navy").save(out, name.rsplit(".")[-1])
    if not default_storage.exists(name):
        default_storage.save(name, out)
    return HttpResponse(str(default_storage.size(name) > 10))
